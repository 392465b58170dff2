"""Many runs in one program: the host's block, shutdown, and what is left behind: nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    ChildDied,
    Handlers,
    Host,
    HostClosing,
    LaunchFailed,
    RunOptions,
    Spawn,
    Verdict,
    WorkflowFailed,
)

from ..host.hosts import DEADLINE_SECONDS, WAITING, Gate, host, in_trio
from ..host.left_over import descriptors_free


@in_trio
async def test_a_run_has_its_args_its_handlers_and_its_limits() -> None:
    async def shout(call: AgentCall) -> AgentAnswer:
        return AgentAnswer(call.prompt.upper())

    async with host() as made:
        source = "export default async ({ name }) => agent(name)"
        outcome = await made.run(
            source, args={"name": "ada"}, handlers=Handlers(agent=shout), limits={"cpuSeconds": 7}
        )
        assert outcome.result == "ADA"
        assert outcome.report.limits["cpuSeconds"] == 7
        with pytest.raises(ValueError, match="there is no limit 'cpu'"):
            await made.run(source, limits={"cpu": 7})


@in_trio
async def test_a_failure_in_the_block_leaves_it_as_it_is() -> None:
    with pytest.raises(WorkflowFailed, match="boom"):
        async with host() as made:
            await made.run("throw new Error('boom')")


@in_trio
async def test_a_failure_in_the_block_is_not_lost_where_the_block_is_cancelled_as_well() -> None:
    async def fail() -> None:
        with trio.CancelScope() as scope:
            async with host():
                scope.cancel()
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()


@in_trio
async def test_a_host_is_entered_once() -> None:
    async with host() as made:
        with pytest.raises(RuntimeError, match="entered once"):
            await made.__aenter__()
        assert (await made.run("export default 1")).result == 1


@in_trio
async def test_a_host_whose_block_was_not_entered_says_so() -> None:
    with pytest.raises(HostClosing, match="never entered"):
        await Host().run("export default 1")


@in_trio
async def test_leaving_the_block_ends_runs_that_wait_and_runs_that_run() -> None:
    gate = Gate()
    told: list[type[BaseException]] = []

    async with trio.open_nursery() as nursery:  # noqa: SIM117 - the runs outlive the host
        async with host(max_runs=20) as made:

            async def one() -> None:
                try:
                    await made.run(WAITING, handlers=Handlers(agent=gate))
                except HostClosing as error:
                    told.append(type(error))

            for _ in range(1_000):
                nursery.start_soon(one)
            await gate.until(20)
    assert told == [HostClosing] * 1_000
    with pytest.raises(HostClosing):
        await made.run("export default 1")


@in_trio
async def test_a_run_cancelled_by_the_closing_host_says_so_in_its_events() -> None:
    verdicts: list[Verdict] = []

    def listen(event: Any) -> None:
        if hasattr(event, "verdict"):
            verdicts.append(event.verdict)

    gate = Gate()
    async with trio.open_nursery() as nursery:  # noqa: SIM117 - the run outlives the host
        async with host() as made:

            async def one() -> None:
                with pytest.raises(HostClosing):
                    await made.run(WAITING, options=RunOptions(agent=gate, listener=listen))

            nursery.start_soon(one)
            await gate.until(1)
    assert verdicts == [Verdict.HOST_SHUTDOWN]


@in_trio
async def test_a_cancelled_caller_costs_its_own_run_only() -> None:
    gate = Gate()
    async with host(max_runs=2) as made, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: made.run(WAITING, handlers=Handlers(agent=gate)))
        for _ in range(5):
            with trio.move_on_after(0.05) as scope:
                await made.run(WAITING, handlers=Handlers(agent=gate))
            assert scope.cancelled_caught
        gate.opened.set()
    assert made.statistics().runs.by_verdict == {Verdict.COMPLETED: 1}


@in_trio
async def test_without_descriptors_runs_fail_and_the_host_goes_on() -> None:
    async with host() as made:
        await made.run("export default 1", limits={"cpuSeconds": 90})
        with descriptors_free(2), pytest.raises(LaunchFailed, match="Too many open files"):
            await made.run("export default 1", limits={"cpuSeconds": 90})
        assert (await made.run("export default 1")).result == 1


@in_trio
async def test_a_host_starts_its_children_by_exec_when_told_to() -> None:
    async with host(launcher=Spawn) as made:
        for _ in range(3):
            assert (await made.run("export default 1")).result == 1


@in_trio
async def test_a_spare_child_that_died_is_not_handed_out() -> None:
    async with host() as made:
        for _ in range(3):
            assert (await made.run("export default 1")).result == 1
            await trio.testing.wait_all_tasks_blocked(0.05)
            for process in psutil.Process().children():
                with suppress(psutil.NoSuchProcess, ProcessLookupError):  # a refill has ended and reaped it
                    if os.getpgid(process.pid) == process.pid:  # caged: the spares; and the zygote
                        process.kill()
                        while process.status() != psutil.STATUS_ZOMBIE:
                            await trio.lowlevel.checkpoint()


@in_trio
async def test_after_a_crash_no_spare_child_of_the_same_layout_is_handed_out() -> None:
    gate = Gate()
    async with host(options=RunOptions(agent=gate)) as made:
        await made.run("export default 1")
        await trio.testing.wait_all_tasks_blocked(0.05)
        spares = _caged()
        assert spares
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_run_that_crashes, made)
            await gate.until(1)
            [at_work] = filter(_may_use_90_seconds, _caged())
            os.kill(at_work, signal.SIGSEGV)
        assert not [pid for pid in spares if psutil.pid_exists(pid)]


async def _run_that_crashes(made: Host) -> None:
    with pytest.raises(ChildDied):
        await made.run(WAITING, limits={"cpuSeconds": 90})


def _may_use_90_seconds(pid: int) -> bool:
    """Beside what it had used when it was told."""
    return bool(re.search(r"^Max cpu time +9[01] ", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE))


def _caged() -> set[int]:
    pids = [child.pid for child in psutil.Process().children()]
    return {pid for pid in pids if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()}


PROGRAM = """
import sys, trio
from flowcage.host import Handlers, Host
from flowcage.host.run.event_loops import run_to_end_or_signal, Terminated

async def wait(call):
    print("agent", flush=True)
    await trio.sleep_forever()

async def main():
    async with Host() as host, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lambda: host.run("export default agent('x')", handlers=Handlers(agent=wait)))

try:
    run_to_end_or_signal(main)
except Terminated as ended:
    sys.exit(128 + ended.number)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("signals", "status"),
    [([signal.SIGTERM], 143), ([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130)],
    ids=["SIGTERM", "SIGINT", "two SIGINTs"],
)
def test_a_program_that_is_told_to_end_leaves_nothing(signals: list[signal.Signals], status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        for _ in range(5):
            assert program.stdout.readline() == b"agent\n"
        children = psutil.Process(program.pid).children(recursive=True)
        assert len(children) >= 6
        for number in signals:
            program.send_signal(number)
        assert program.wait(DEADLINE_SECONDS) == status
    assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []
