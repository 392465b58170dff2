"""Limits that hold for a run with all of its child workflows: who catches their errors does not go on."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host import (
    CpuExceeded,
    Host,
    Limits,
    OutputExceeded,
    RequestRejected,
    RunError,
    RunOptions,
    Verdict,
    run_workflow_blocking,
)
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.spawn import spawn
from flowcage.host.run.options import Caller, WorkflowHandler
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.runs import Listener, failure, run

SCRIPTED = Path(__file__).parents[1] / "host" / "scripted_child.py"
# Starts child workflows again and again, four at once, whatever becomes of them.
STUBBORN = """let ended = 0;
const one = async () => {
  while (ended < 40) { await workflow("kid").catch(() => {}); ended += 1; }
};
await Promise.all([one(), one(), one(), one()]);
export default ended;"""


def kid(source: str) -> WorkflowHandler:
    """Answers `workflow()` with this one, and rejects where it fails, as the files' handler does."""

    async def workflow(parent: Caller, _request: WorkflowRequest) -> Json:
        try:
            return await parent.run_child(source, "kid.js", {})
        except RunError as error:
            raise RequestRejected(str(error)) from error

    return workflow


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_cpu_seconds_are_of_all_child_workflows_together() -> None:
    before = cpu_of_children()
    error = failure(STUBBORN, workflow=kid("for (;;);"), limits=Limits(cpu_seconds=1))
    assert isinstance(error, CpuExceeded)
    assert error.verdict is Verdict.CPU_LIMIT
    # Four at once would have had a second each, and those after them another.
    assert 1 <= cpu_of_children() - before < 3


def test_cpu_that_child_workflows_use_a_little_at_a_time_is_added_up() -> None:
    listener = Listener()
    spin = "for (let i = 0; i < 8e6; i++); export default 1"
    error = failure(
        "for (;;) await workflow('kid')", workflow=kid(spin), limits=Limits(cpu_seconds=1), listener=listener
    )
    assert isinstance(error, CpuExceeded)
    assert len(listener.of("child_ended")) > 1


class FirstReal:
    """The parent's child is flowcage's own; those of its child workflows answer as they are told."""

    def __init__(self, script: dict[str, Any]) -> None:
        self._command = (sys.executable, "-I", str(SCRIPTED), json.dumps(script))
        self._launched = 0

    async def launch(self) -> Spawned:
        self._launched += 1
        return spawn(self._command if self._launched > 1 else None)

    def distrust(self) -> None:
        """As `Spawn.distrust`."""


def test_a_child_that_uses_cpu_while_nobody_waits_for_it_is_charged_too() -> None:
    agent = {"type": "agent", "id": "1", "prompt": "p"}
    waiting = {"result": {"calls": [], "requests": [agent], "state": "pending"}, "spin_after": 60}

    async def never(_call: Any) -> Any:
        await trio.sleep_forever()

    with pytest.raises(CpuExceeded):
        run_workflow_blocking(
            "export default workflow('kid')",
            options=RunOptions(
                agent=never,
                workflow=kid("export default 1"),
                launcher=FirstReal({"drain": [waiting]}),
                limits=Limits(cpu_seconds=1),
                isolation="best_effort",
                timeout_seconds=120,
            ),
        )


def test_max_received_bytes_are_of_all_child_workflows_together() -> None:
    error = failure(
        STUBBORN, workflow=kid("log('x'.repeat(60_000)); export default 1"), max_received_bytes=100_000
    )
    assert isinstance(error, OutputExceeded)
    assert error.verdict is Verdict.OUTPUT_LIMIT
    assert "maxReceivedBytes" in str(error)


def test_child_workflows_beyond_max_total_children_are_rejected_by_name() -> None:
    source = "export default Promise.all([1, 2, 3, 4].map(() => workflow('kid').catch((e) => e.message)))"
    outcome = run(source, workflow=kid("export default 1"), max_total_children=2)
    assert sorted(map(str, outcome.result))[:2] == ["1", "1"]
    refused = [answer for answer in outcome.result if answer != 1]
    assert len(refused) == 2
    for message in refused:
        assert "all 2 child workflows that the limit maxTotalChildren allows" in message
    assert outcome.report.limits["maxTotalChildren"] == 2


async def after_five_seconds(parent: Any, _request: WorkflowRequest) -> Json:
    """Answers `workflow()` with a child, after something else of the run used five seconds of CPU."""
    parent.run.driver.allowance.charge_cpu(5)
    return await parent.run_child("export default 1", "kid.js", {})


def given_cpu(listener: Listener) -> list[float]:
    """The CPU that each of the run's children was given."""
    return [event["limits"]["cpuSeconds"] for event in listener.of("started")]


def test_a_child_workflow_is_given_the_cpu_that_is_left() -> None:
    source, listener = "export default [await workflow('a'), await workflow('b')]", Listener()
    run(source, workflow=after_five_seconds, limits=Limits(cpu_seconds=30), listener=listener)
    assert given_cpu(listener) == [30, 25, 20]


def test_a_child_workflow_is_given_what_is_left_also_where_children_are_kept_ready() -> None:
    """Those were told of limits that hold no more, and cannot be told again."""

    async def main() -> Json:
        listener = Listener()
        options = RunOptions(workflow=after_five_seconds, limits=Limits(cpu_seconds=30), listener=listener)
        async with Host(options=options) as host:
            await host.run("export default 1")  # and now some are ready
            await host.run("export default [await workflow('a'), await workflow('b')]")
        return given_cpu(listener)

    assert trio.run(main) == [30, 30, 25, 20]
