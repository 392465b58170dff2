"""The end of a child, as the host brings it about and sees it; and what it says on stderr until then."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    ChildDied,
    Limits,
    RunOptions,
    run_workflow,
    run_workflow_blocking,
)
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.process.stderr import MAX_BYTES, TAIL_BYTES

from ..host.children import Launcher
from ..host.launchers import watched

SCRIPTED = Path(__file__).parents[1] / "host" / "scripted_child.py"
MIB = 1024 * 1024
AGENT = {"type": "agent", "id": "1", "prompt": "p"}
PENDING = {"calls": [], "requests": [AGENT], "state": "pending"}
COMPLETE = {"calls": [], "requests": [], "state": "complete", "output": {"result": 1}}


def scripted(**script: Any) -> Launcher:
    return Launcher((sys.executable, "-I", str(SCRIPTED), json.dumps(script)))


def options(launcher: Launcher, **others: Any) -> RunOptions:
    return RunOptions(launcher=launcher, isolation="none", timeout_seconds=300, **others)


def test_a_child_that_writes_much_to_stderr_does_not_wait_for_glances() -> None:
    """Each glance would empty its pipe once, and the wall clock of a step would be over long before."""
    launcher = scripted(initialize=[], drain=[{"result": COMPLETE, "stderr": MAX_BYTES - MIB}])
    outcome = run_workflow_blocking(
        "export default 1", options=options(launcher, limits=Limits(step_timeout_ms=500))
    )
    assert outcome.result == 1
    assert TAIL_BYTES - 1 <= len(outcome.report.stderr) <= TAIL_BYTES
    launcher.assert_nothing_left()


def test_what_a_child_said_on_stderr_in_a_short_run_is_in_the_report() -> None:
    launcher = scripted(drain=[{"result": COMPLETE, "stderr": 10_000}])
    outcome = run_workflow_blocking("export default 1", options=options(launcher))
    assert outcome.report.stderr.startswith("noise")
    launcher.assert_nothing_left()


def test_a_child_that_dies_while_others_hold_its_pipes_ends_the_run() -> None:
    launcher = scripted(drain=[{"result": PENDING, "hold": True}])

    async def kill(_call: AgentCall) -> AgentAnswer:
        os.kill(launcher.pids[0], signal.SIGTERM)
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(ChildDied) as caught:
        run_workflow_blocking("export default agent('p')", options=options(launcher, agent=kill))
    assert caught.value.signal == "SIGTERM"
    launcher.assert_nothing_left()


def test_a_child_whose_workflow_is_done_is_killed_before_its_handlers_have_ended() -> None:
    launcher = Launcher()
    states: list[str] = []

    async def slow_to_end(_call: AgentCall) -> AgentAnswer:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(300):
                while psutil.Process(launcher.pids[0]).status() != psutil.STATUS_ZOMBIE:
                    await trio.lowlevel.checkpoint()
                states.append("ended")
        raise AssertionError

    source = "agent('x'); await SW.extra.sleep(5); export default 1"
    outcome = run_workflow_blocking(source, options=RunOptions(launcher=launcher, agent=slow_to_end))
    assert outcome.result == 1
    assert states == ["ended"]
    launcher.assert_nothing_left()


def peak_so_far(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) * 1024


def test_the_peak_of_a_forked_child_is_its_own_and_no_less_than_the_kernel_showed() -> None:
    """wait4(2) tells it, whose figure neither host nor zygote have set, large as they were before."""
    seen: list[int] = []

    async def main() -> None:
        async with watched(Zygote) as launcher:

            async def look(_call: AgentCall) -> AgentAnswer:
                seen.append(peak_so_far(launcher.pids[-1]))
                return AgentAnswer(1)

            source = (
                "let a = 'x'.repeat(3e7) + args.n; a = [...a.slice(0, 1e5)]; a = 0; export default agent('')"
            )
            given = RunOptions(launcher=launcher, agent=look)
            outcome = await run_workflow(source, options=given)
            peaks.append(outcome.usage.peak_rss_bytes)

    peaks: list[int] = []
    ballast = bytearray(b"x") * (300 * MIB)  # the host's, at the time of the zygote's start
    trio.run(main)
    assert len(ballast) > 2 * peaks[0]
    assert seen[0] <= peaks[0] < seen[0] + 20 * MIB
