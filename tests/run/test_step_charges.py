"""A step is charged the child's CPU, in the child and in the host; the wall clock ends what uses none."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
import trio

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    ChildSilent,
    Limits,
    Outcome,
    RunError,
    RunOptions,
    Verdict,
    WorkflowFailed,
    check_workflow,
    run_workflow,
)
from flowcage.host.process.cpu_clock import cpu_seconds
from flowcage.host.process.reaping import end_at_once

from ..host.children import Launcher
from ..host.runs import failure

# Some tenths of a second of CPU.
SPIN = "for (let i = 0; i < 8e6; i++);"
STEP_MS = 2000
NATIVE = "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 1, 0);"


def many_names(count: int) -> str:
    """A source that takes the engine's parser the square of its length."""
    return "export default 1; {" + "".join(f"let a{number};" for number in range(count)) + "}"


class Starved:
    """Answers the one agent call of a run, and then stops its child for longer than a step."""

    def __init__(self) -> None:
        self.launcher = Launcher()
        self.was_stopped = False
        self._answered = trio.Event()

    async def agent(self, call: AgentCall) -> AgentAnswer:
        self._answered.set()
        return AgentAnswer(call.prompt)

    async def starve(self) -> None:
        await self._answered.wait()
        (pid,) = self.launcher.pids
        began = cpu_seconds(pid)
        assert began is not None
        while (cpu_seconds(pid) or 0.0) < began + 0.02:  # noqa: ASYNC110 - nobody tells that JavaScript runs
            await trio.sleep(0.001)
        os.kill(pid, signal.SIGSTOP)
        self.was_stopped = True
        await trio.sleep(1.5 * STEP_MS / 1000)
        os.kill(pid, signal.SIGCONT)

    async def run(self) -> Outcome:
        options = RunOptions(agent=self.agent, launcher=self.launcher, limits=Limits(step_timeout_ms=STEP_MS))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.starve)
            source = f"await agent('go'); {SPIN} return 'done'"
            outcome = await run_workflow(source, options=options)
            nursery.cancel_scope.cancel()
        return outcome


def test_a_step_that_had_little_of_the_machine_is_not_charged_for_what_it_did_not_get() -> None:
    starved = Starved()
    outcome = trio.run(starved.run)
    starved.launcher.assert_nothing_left()
    assert starved.was_stopped
    assert outcome.result == "done"


@pytest.mark.parametrize("said", ["log('x');", "phase('p');", "agent('a');", "await agent('a'); log('x');"])
def test_a_step_that_does_not_end_is_a_step_timeout_whatever_it_said_before(said: str) -> None:
    error = failure(f"{said} for (;;);", limits=Limits(step_timeout_ms=300))
    assert isinstance(error, WorkflowFailed)
    assert error.verdict is Verdict.STEP_TIMEOUT


def test_a_native_that_never_asks_is_ended_by_the_host() -> None:
    error = failure(NATIVE, limits=Limits(step_timeout_ms=500), answer_grace_seconds=0.5)
    assert isinstance(error, ChildSilent)
    assert error.verdict is Verdict.STEP_TIMEOUT
    used = error.report.usage
    # The second, where the machine was so busy that this took ten times as long.
    assert used.user_cpu_seconds + used.system_cpu_seconds >= 1 or used.wall_seconds >= 5.5


def test_compiling_that_takes_too_long_is_a_step_timeout() -> None:
    error = failure(many_names(10_000), limits=Limits(step_timeout_ms=100))
    assert isinstance(error, WorkflowFailed)
    assert error.verdict is Verdict.STEP_TIMEOUT


def test_a_check_that_takes_too_long_is_a_step_timeout() -> None:
    limits = Limits(step_timeout_ms=100)
    with pytest.raises(RunError) as caught:
        trio.run(lambda: check_workflow(many_names(10_000), limits=limits))
    assert caught.value.verdict is Verdict.STEP_TIMEOUT


def test_the_cpu_of_another_process_can_be_read_until_it_is_reaped() -> None:
    process = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        while (cpu_seconds(process.pid) or 0.0) < 0.05:
            pass
    finally:
        end_at_once(process.pid)
    process.returncode = 0
    assert cpu_seconds(process.pid) is None
