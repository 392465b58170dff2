"""From spawn to reaped: whatever ends a run, and whenever, it ends once and leaves nothing."""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, Limits, RunError, RunOptions, run_workflow
from flowcage.host.events.records import Event, RunEnded
from flowcage.host.outcome.verdict import Verdict

from ..e2e.command import FLOWCAGE
from ..host.children import Launcher, fake_child
from .bystander import answer
from .race import Race

DEADLINE_SECONDS = 300
RACES = 50

VERDICTS = {
    "WorkflowFailed": Verdict.FAILED,
    "WorkflowStalled": Verdict.STALLED,
    "RunTimedOut": Verdict.WALL_TIMEOUT,
    "ChildSilent": Verdict.STEP_TIMEOUT,
    "MemoryExceeded": Verdict.MEMORY_LIMIT,
    "CpuExceeded": Verdict.CPU_LIMIT,
    "OutputExceeded": Verdict.OUTPUT_LIMIT,
    "AgentLimitReached": Verdict.AGENT_LIMIT,
    "BudgetExhausted": Verdict.BUDGET_EXHAUSTED,
    "CostExhausted": Verdict.COST_EXHAUSTED,
    "RunHalted": Verdict.AGENTS_UNAVAILABLE,
    "CancelRequested": Verdict.CANCELLED,
    "ChildDied": Verdict.CRASHED,
    "ChildGone": Verdict.HOST_FAULT,  # never leaves the host: it becomes ChildDied or ProtocolViolation
    "ProtocolViolation": Verdict.PROTOCOL_VIOLATION,
    "IsolationUnavailable": Verdict.NOT_STARTED,
    "RunRefused": Verdict.NOT_STARTED,
    "CannotSend": Verdict.NOT_STARTED,
    "LaunchFailed": Verdict.NOT_STARTED,
    "HandlerFailed": Verdict.HOST_FAULT,
    "SchemaDisagrees": Verdict.HOST_FAULT,  # a fault of flowcage's own, and only where a switch looks for it
    # The run itself is whole: it can be resumed, or its store has to be looked at.
    "Fenced": Verdict.HOST_FAULT,
    "ReplayDiverged": Verdict.DIVERGED,
    "StoreFailed": Verdict.HOST_FAULT,
    "TooLarge": Verdict.HOST_FAULT,
    "_Away": Verdict.HOST_FAULT,  # a server that did not come back in time
    "RunExpired": Verdict.EXPIRED,
    "FallsAsleep": Verdict.HOST_FAULT,  # never leaves a host: whoever keeps the run puts it to sleep
    "Naps": Verdict.HOST_FAULT,  # as this: whoever holds the workflow gives it another child
}


async def never(_call: AgentCall) -> AgentAnswer:
    await trio.sleep_forever()
    raise AssertionError


def test_a_child_that_is_stopped_from_outside_ends_in_time_and_is_reaped() -> None:
    launcher = Launcher()

    async def stop(call: AgentCall) -> AgentAnswer:
        os.kill(launcher.pids[0], signal.SIGSTOP)
        return AgentAnswer(call.prompt)

    limits = Limits(step_timeout_ms=200)
    options = RunOptions(agent=stop, launcher=launcher, limits=limits, answer_grace_seconds=0.3)
    with pytest.raises(RunError) as caught:
        trio.run(lambda: run_workflow("export default agent('x')", options=options))
    launcher.assert_nothing_left()
    assert caught.value.verdict is Verdict.STEP_TIMEOUT


HOST = """
import sys, trio, trio.testing
from flowcage.host import AgentAnswer, Limits, RunOptions, run_workflow
from flowcage.host.process.launch.spawn import Spawn

pids = []

class Launcher(Spawn):
    async def launch(self):
        spawned = await super().launch()
        pids.append(spawned.pid)
        return spawned

async def tell():
    await trio.testing.wait_all_tasks_blocked(0.05)  # the child has its answer, and we wait for its own
    print(pids[0], flush=True)

async def main():
    async with trio.open_nursery() as nursery:
        async def answer(call):
            nursery.start_soon(tell)
            return AgentAnswer(call.prompt)
        limits = Limits(step_timeout_ms=600_000, cpu_seconds=600)
        options = RunOptions(agent=answer, launcher=Launcher(), limits=limits)
        await run_workflow("await agent('x'); " + sys.argv[1], options=options)

trio.run(main)
"""


@pytest.mark.parametrize(
    "spin",
    [
        "for (;;);",
        "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 1, 0)",
        "await SW.extra.sleep(1e6)",
    ],
    ids=["loop", "native", "waiting"],
)
def test_a_child_does_not_outlive_a_host_that_is_killed(spin: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOST, spin], stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        child = os.pidfd_open(int(host.stdout.readline()))
        try:
            assert not select.select([child], [], [], 0)[0]
            host.kill()
            assert select.select([child], [], [], DEADLINE_SECONDS)[0]
        finally:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(child, signal.SIGKILL)
            os.close(child)


def _kill(_scope: trio.CancelScope, pid: int) -> None:
    if psutil.pid_exists(pid):  # not reaped yet
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("strike", [lambda scope, _pid: scope.cancel(), _kill], ids=["cancelled", "killed"])
def test_an_end_that_races_with_the_childs_own_has_one_outcome(
    strike: Callable[[trio.CancelScope, int], None],
) -> None:
    before = psutil.Process().children()
    for _ in range(RACES // 2):
        race = Race(strike)
        trio.run(race.run)
        assert race.verdict() in {Verdict.COMPLETED, Verdict.CANCELLED}
        race.launcher.assert_nothing_left()
    assert psutil.Process().children() == before


async def cancelled_when(
    moment: Callable[[], Awaitable[None]], launcher: Launcher, options: RunOptions
) -> list[Event]:
    """The events of a run that is cancelled when `moment` has come."""
    heard: list[Event] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            given = RunOptions(
                agent=options.agent, launcher=launcher, isolation=options.isolation, listener=heard.append
            )
            await run_workflow("export default agent('x')", options=given)

        nursery.start_soon(run)
        await moment()
        nursery.cancel_scope.cancel()
    return heard


def assert_cancelled(heard: list[Event]) -> None:
    (ended,) = (event for event in heard if isinstance(event, RunEnded))
    assert heard[-1] is ended
    assert (ended.verdict, ended.error) == (Verdict.CANCELLED, "cancelled")


@pytest.mark.parametrize("stage", ["initialize", "start", "drain", "resolve"])
def test_a_cancelled_run_says_so_whatever_its_child_was_doing(stage: str) -> None:
    launcher = fake_child(stage, "silent")
    options = RunOptions(agent=answer, isolation="best_effort")

    async def all_wait() -> None:
        while not launcher.pids:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked(0.05)

    assert_cancelled(trio.run(cancelled_when, all_wait, launcher, options))
    launcher.assert_nothing_left()


def test_a_run_cancelled_before_its_child_has_spoken_says_so() -> None:
    launcher = Launcher()

    async def launched() -> None:
        while not launcher.pids:
            await trio.lowlevel.checkpoint()

    assert_cancelled(trio.run(cancelled_when, launched, launcher, RunOptions()))
    launcher.assert_nothing_left()


def test_a_run_cancelled_while_an_agent_answers_says_so() -> None:
    launcher, asked = Launcher(), trio.Event()

    async def ask(_call: AgentCall) -> AgentAnswer:
        asked.set()
        return await never(_call)

    assert_cancelled(trio.run(cancelled_when, asked.wait, launcher, RunOptions(agent=ask)))
    launcher.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda n: n.name)
@pytest.mark.parametrize("source", ["for (;;);", "await SW.extra.sleep(1e6)"], ids=["busy", "waiting"])
def test_a_signal_to_the_command_is_a_host_shutdown_in_its_events(
    tmp_path: Path, number: signal.Signals, source: str
) -> None:
    events, workflow = tmp_path / "events", tmp_path / "w.js"
    os.mkfifo(events)
    workflow.write_text(f"await agent('x'); {source}")
    command: list[str | Path] = [FLOWCAGE, "run", workflow, "--events", events, "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        with events.open() as stream:
            while "agent_completed" not in stream.readline():
                pass
            (child,) = psutil.Process(process.pid).children()
            process.send_signal(number)
            *_, last = map(json.loads, stream)
        process.communicate(timeout=DEADLINE_SECONDS)
    assert (last["type"], last["verdict"]) == ("ended", "host_shutdown")
    assert not child.is_running()


def test_runs_in_a_row_and_at_once_leave_no_process_no_descriptor_and_no_task() -> None:
    launcher = Launcher()
    options = RunOptions(launcher=launcher, agent=answer)
    source = "export default agent('x')"

    async def main() -> None:
        await run_workflow(source, options=options)
        before = _held()
        for _ in range(100):
            assert (await run_workflow(source, options=options)).result == "x"
        assert _held() == before
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(lambda: run_workflow(source, options=options))
        assert _held() == before

    trio.run(main)
    assert len(launcher.pids) == 131
    launcher.assert_nothing_left()


def _held() -> tuple[int, int, int, int]:
    """Tasks, descriptors, processes and event loops' own waits of this program."""
    statistics = trio.lowlevel.current_statistics()
    process = psutil.Process()
    return (
        statistics.tasks_living,
        process.num_fds(),
        len(process.children()),
        statistics.io_statistics.tasks_waiting_read,
    )


def _subclasses(error: type[RunError]) -> set[type[RunError]]:
    return {error}.union(*map(_subclasses, error.__subclasses__()))


def test_every_error_of_a_run_has_the_verdict_that_its_name_promises() -> None:
    for name in ("durable.errors", "durable.postgres.store", "process.codec", "run.past.diverged"):
        importlib.import_module(f"flowcage.host.{name}")
    found = {
        error.__name__: error.verdict
        for error in _subclasses(RunError) - {RunError}
        if error.__module__.startswith("flowcage.")
    }
    assert found == VERDICTS


def test_the_report_of_a_death_says_what_was_going_on() -> None:
    launcher = Launcher()

    async def kill(call: AgentCall) -> AgentAnswer:
        if call.prompt == "2":
            os.kill(launcher.pids[0], signal.SIGKILL)
        return await never(call)

    source = "phase('One'); phase('Two'); log('l'); export default Promise.all([agent('1'), agent('2')])"
    limits = Limits(step_timeout_ms=4321)
    options = RunOptions(agent=kill, launcher=launcher, limits=limits, timeout_seconds=300)
    with pytest.raises(RunError) as caught:
        trio.run(lambda: run_workflow(source, options=options))
    launcher.assert_nothing_left()
    report = caught.value.report
    assert report is not None
    assert report.verdict is Verdict.CRASHED
    assert (report.phases[-1], report.logs, report.waiting) == ("Two", (("l",),), ("1", "2"))
    assert (report.limits["stepTimeoutMs"], report.limits["timeoutSeconds"]) == (4321, 300)
    assert report.isolation["seccomp"].applied


def test_the_report_of_a_death_has_the_last_words() -> None:
    launcher = fake_child("drain", "exits-3")
    options = RunOptions(agent=answer, launcher=launcher, isolation="best_effort")
    with pytest.raises(RunError) as caught:
        trio.run(lambda: run_workflow("export default 1", options=options))
    launcher.assert_nothing_left()
    assert caught.value.report.stderr == "the reason"
