"""One request whose handler runs several workflows: none has the name in the tree that another had."""

from __future__ import annotations

import trio

from flowcage.host import RunError, RunOptions
from flowcage.host.run.core.inputs import Opened
from flowcage.host.run.options import Caller
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher
from ..host.runs import Inputs

LEAVES_A_SLEEP = "SW.extra.sleep(3600000).catch(() => 0); await agent('a'); throw new Error('first')"


async def one_after_another(caller: Caller, _: WorkflowRequest) -> Json:
    try:
        await caller.run_child(LEAVES_A_SLEEP, "kid.js", None)
    except RunError as error:
        return [str(error), await caller.run_child("export default agent('b')", "kid.js", None)]


async def at_once(caller: Caller, _: WorkflowRequest) -> Json:
    found: list[Json] = []

    async def one(number: int) -> None:
        found.append(await caller.run_child(f"export default {number}", "kid.js", None))

    async with trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            nursery.start_soon(one, number)
    return sorted(found)


def _run(handler: object) -> tuple[Json, list[str]]:
    launcher, journal = Launcher(), Inputs()
    options = RunOptions(workflow=handler, launcher=launcher, timeout_seconds=120)  # type: ignore[arg-type]

    async def main() -> Json:
        run = Run(options, "w.js", journal=journal)
        return (await run.execute("export default workflow('x')", None)).result

    result = trio.run(main)
    launcher.assert_nothing_left()
    return result, [each.path for _, each in journal.taken if isinstance(each, Opened)]


def test_one_after_another() -> None:
    result, paths = _run(one_after_another)

    assert "first" in result[0]
    assert result[1] == "echo: b"
    assert paths == ["", "1", "1.2"]


def test_at_once() -> None:
    assert _run(at_once) == ([1, 2, 3], ["", "1", "1.2", "1.3"])
