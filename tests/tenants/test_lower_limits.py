"""Runs that ask for lower limits than the host's are held to them by spares that were told of higher ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    CpuExceeded,
    HandlerFailed,
    Handlers,
    Host,
    Limits,
    Outcome,
    RunError,
    RunOptions,
    Verdict,
)
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.hosts import host

SCRIPTED = Path(__file__).parents[1] / "host" / "scripted_child.py"
MIB = 1024 * 1024
NATIVE = "[].indexOf.call({ length: 2 ** 53 - 1 }, 1)"
# A usual limit that a child does not reach within a test, so that another one is.
LONG_STEPS = RunOptions(limits=Limits(step_timeout_ms=300_000))


def caged() -> set[int]:
    """Children of this process with a closed cage: spares, and those of runs."""
    pids = [child.pid for child in psutil.Process().children()]
    return {pid for pid in pids if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()}


async def with_spares(made: Host) -> set[int]:
    """Run something, and return the spares when there are some."""
    await made.run("export default 1")
    await until_spares_are_ready(made)
    return caged()


async def until_spares_are_ready(made: Host) -> None:
    (tenancy,) = made._tenancies._by_name.values()
    while tenancy.reserve.coming:
        await trio.lowlevel.checkpoint()


async def on_a_spare(source: str, limits: Mapping[str, float], options: RunOptions) -> Outcome | RunError:
    """How a run ends whose child was a spare."""
    async with host(options=options) as made:
        spares = await with_spares(made)
        try:
            ended: Outcome | RunError = await made.run(source, limits=limits)
        except RunError as error:
            ended = error
        assert [pid for pid in spares if not psutil.pid_exists(pid)]
    return ended


@pytest.mark.parametrize(
    ("limits", "source", "verdict", "usual"),
    [
        (
            {"stepTimeoutMs": 200},
            "let n = 0; while (n < 3e7) n++; export default n",
            Verdict.STEP_TIMEOUT,
            True,
        ),
        ({"memoryBytes": 8 * MIB}, "export default [...'x'.repeat(2e6)].length", Verdict.MEMORY_LIMIT, True),
        ({"cpuSeconds": 1}, "for (;;);", Verdict.CPU_LIMIT, False),
        ({"cpuSeconds": 1}, NATIVE, Verdict.CPU_LIMIT, False),
        (
            {"stackBytes": 50_000},
            "const f = (n) => n && f(n - 1); return f(500)",
            Verdict.FAILED,
            True,
        ),
        ({"maxSleepMs": 10}, "await SW.extra.sleep(11); export default 1", Verdict.FAILED, True),
        (
            {"maxPendingRequests": 2},
            "export default await Promise.all([agent('a'), agent('b'), agent('c')])",
            Verdict.OUTPUT_LIMIT,
            True,
        ),
        ({"maxQueuedBytes": 500}, "log('x'.repeat(501)); export default 1", Verdict.OUTPUT_LIMIT, True),
    ],
)
def test_each_limit_that_is_lower_holds_on_a_spare(
    limits: dict[str, int], source: str, verdict: Verdict, usual: bool
) -> None:
    ended = trio.run(on_a_spare, source, limits, LONG_STEPS)
    assert ended.report.verdict == verdict
    assert ended.report.limits.items() >= limits.items()
    if usual:  # it is for the lower limit that the run has failed
        assert isinstance(trio.run(on_a_spare, source, {}, LONG_STEPS), Outcome)


def test_lower_limits_hold_where_somebody_listens_who_is_told_of_the_start_before_anything_runs() -> None:
    heard: list[str] = []
    options = replace(LONG_STEPS, listener=lambda event: heard.append(type(event).__name__))
    ended = trio.run(on_a_spare, "log(1); for (;;);", {"stepTimeoutMs": 200}, options)
    assert ended.report.verdict == Verdict.STEP_TIMEOUT
    assert heard[-3:] == ["RunStarted", "Logged", "RunEnded"]


def test_a_workflow_that_uses_up_its_cpu_by_itself_is_told_where_it_was() -> None:
    ended = trio.run(on_a_spare, "const f = () => { for (;;); };\nf()", {"cpuSeconds": 1}, LONG_STEPS)
    assert isinstance(ended, RunError)
    assert not isinstance(ended, CpuExceeded)  # the host would have ended it a second later


def test_what_is_not_lower_or_cannot_be_lowered_gets_a_child_of_its_own() -> None:
    async def main() -> None:
        for limits in ({"cpuSeconds": 61}, {"maxMessageBytes": 4 * MIB}, {"addressSpaceBytes": 900 * MIB}):
            async with host() as made:
                spares = await with_spares(made)
                outcome = await made.run("export default 1", limits=limits)
                assert outcome.report.limits.items() >= limits.items()
                assert all(map(psutil.pid_exists, spares))

    trio.run(main)


class Scripted(Spawn):
    """A child that has `run`, and answers as it is told. It knows no cage."""

    def __init__(self, **script: Any) -> None:
        super().__init__((sys.executable, "-I", str(SCRIPTED), json.dumps(script)))


PEER = {"name": "scripted", "version": "0"}
KNOWS_RUN = {
    "protocolVersion": "1.0",
    "server": PEER,
    "engine": PEER,
    "limits": Limits().to_wire(),
    "isolation": {},
    "maxMessageBytes": Limits().max_message_bytes,
    "methods": ["run"],
}


def test_a_child_that_uses_cpu_while_nobody_waits_for_it_is_held_to_the_lower_limit() -> None:
    """It was told of 60 s, and so was the kernel."""
    agent = {"type": "agent", "id": "1", "prompt": "p"}
    waiting = {"result": {"calls": [], "requests": [agent], "state": "pending"}, "spin_after": 50}

    async def never(_call: AgentCall) -> AgentAnswer:
        await trio.sleep_forever()
        raise AssertionError

    async def fail(_call: AgentCall) -> AgentAnswer:
        raise KeyError

    async def main() -> None:
        options = RunOptions(isolation="none", agent=never)
        launcher = Scripted(initialize=[{"result": KNOWS_RUN}], run=[waiting])
        async with host(options=options, launcher=lambda: launcher) as made:
            with pytest.raises(HandlerFailed):
                await made.run("export default agent('p')", handlers=Handlers(agent=fail))
            await until_spares_are_ready(made)
            with pytest.raises(CpuExceeded):
                await made.run("export default agent('p')", limits={"cpuSeconds": 1})

    trio.run(main)


def test_a_child_workflow_gets_a_spare_that_is_held_to_the_cpu_that_is_left() -> None:
    async def workflow(parent: Caller, _request: WorkflowRequest) -> Json:
        parent.run.driver.allowance.charge_cpu(5)  # type: ignore[attr-defined]
        before = caged()
        result = await parent.run_child("export default 1", "kid.js", {})
        assert [pid for pid in before if not psutil.pid_exists(pid)]
        return result

    async def main() -> None:
        async with host() as made:
            await with_spares(made)
            outcome = await made.run("export default workflow('kid')", handlers=Handlers(workflow=workflow))
            assert outcome.result == 1

    trio.run(main)
