"""What only the zygote can do wrong: its own process ends, hangs, is replaced."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import RunOptions, run_workflow
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch import switches, zygote_process
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.zygote import Zygote

from ..host.launchers import Make, Watched, watched, zygotes

DEADLINE_SECONDS = 300.0
Test = Callable[[Watched], Awaitable[None]]


def with_zygote(test: Test, make: Make = Zygote) -> None:
    """Run an async test with a launcher that must leave nothing behind."""

    async def main() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            async with watched(make) as launcher:
                await test(launcher)

    trio.run(main)


async def trivial(launcher: Watched) -> None:
    """A run that must complete."""
    assert (await run_workflow("export default 1", options=RunOptions(launcher=launcher))).result == 1


def only_zygote(launcher: Watched) -> int:
    """The process id of the one there is."""
    (process,) = zygotes(launcher)
    return process.pid


def test_a_run_goes_on_when_its_zygote_is_killed() -> None:
    async def test(launcher: Watched) -> None:
        async def strike(call: AgentCall) -> AgentAnswer:
            os.kill(only_zygote(launcher), signal.SIGKILL)
            return AgentAnswer(call.prompt)

        options = RunOptions(launcher=launcher, agent=strike)
        assert (await run_workflow("export default agent('x')", options=options)).result == "x"
        await trivial(launcher)

    with_zygote(test)


def test_the_next_run_starts_a_new_zygote() -> None:
    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        first = only_zygote(launcher)
        os.kill(first, signal.SIGKILL)
        await trivial(launcher)
        assert only_zygote(launcher) != first

    with_zygote(test)


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.01, 0.03, 0.06, 0.1])
def test_a_zygote_that_is_killed_while_it_starts_or_forks_costs_no_run(delay: float) -> None:
    async def test(launcher: Watched) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(trivial, launcher)
            with trio.move_on_after(DEADLINE_SECONDS):
                while not zygotes(launcher):
                    await trio.lowlevel.checkpoint()
            await trio.sleep(delay)  # any moment will do; these are spread over a start and the first forks
            for process in zygotes(launcher):
                process.kill()

    with_zygote(test)


def test_a_zygote_that_is_stopped_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_process, "_FORK_SECONDS", 0.3)

    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        stopped = only_zygote(launcher)
        os.kill(stopped, signal.SIGSTOP)
        await trivial(launcher)
        assert not psutil.pid_exists(stopped)

    with_zygote(test)


def test_a_child_that_was_forked_but_never_told_of_is_found_and_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        real = zygote_process.ZygoteProcess._receive

        async def lose(self: zygote_process.ZygoteProcess) -> bytes:
            monkeypatch.setattr(zygote_process.ZygoteProcess, "_receive", real)
            await real(self)
            raise zygote_process.ZygoteLost("the reply was lost")

        monkeypatch.setattr(zygote_process.ZygoteProcess, "_receive", lose)
        await trivial(launcher)
        assert len(launcher.processes()) == 1

    with_zygote(test)


def test_runs_of_one_tenant_are_one_session_and_each_a_group_of_its_own() -> None:
    async def test(launcher: Watched) -> None:
        async def look(call: AgentCall) -> AgentAnswer:
            child, zygote = launcher.pids[-1], only_zygote(launcher)
            assert os.getsid(child) == zygote
            assert os.getpgid(child) == child
            assert os.getpriority(os.PRIO_PROCESS, child) > os.getpriority(os.PRIO_PROCESS, 0)
            return AgentAnswer(call.prompt)

        options = RunOptions(launcher=launcher, agent=look)
        await run_workflow("export default agent('x')", options=options)

    with_zygote(test)


def test_a_zygote_is_replaced_after_so_many_forks() -> None:
    async def test(launcher: Watched) -> None:
        seen: set[int] = set()
        for _ in range(5):
            await trivial(launcher)
            seen.update(process.pid for process in zygotes(launcher))
        assert len(seen) >= 3

    with_zygote(test, lambda: Zygote(max_forks=2))


def test_a_zygote_whose_child_crashed_forks_no_more() -> None:
    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        first = only_zygote(launcher)
        launcher.distrust()
        await trivial(launcher)
        assert first not in {process.pid for process in zygotes(launcher)}

    with_zygote(test)


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_child_that_crashes_while_another_is_launched_costs_no_launch(is_ready: bool) -> None:
    async def test(launcher: Watched) -> None:
        if is_ready:
            await trivial(launcher)
            os.kill(only_zygote(launcher), signal.SIGSTOP)  # so that the fork takes a while
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trivial, launcher)
            await trio.testing.wait_all_tasks_blocked()
            first = only_zygote(launcher)
            launcher.distrust()
            if is_ready:
                os.kill(first, signal.SIGCONT)
        await trivial(launcher)
        while first in {process.pid for process in zygotes(launcher)}:  # it leaves by itself
            await trio.lowlevel.checkpoint()

    with_zygote(test)


def test_a_zygote_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    command = (*zygote_process._COMMAND[:2], "-c", "raise SystemExit('there is no engine')")
    monkeypatch.setattr(zygote_process, "_COMMAND", command)

    async def test(launcher: Watched) -> None:
        with pytest.raises(LaunchFailed, match="there is no engine"):
            await trivial(launcher)

    with_zygote(test)


_NO_IMPORT_AFTER_THE_FORK = """
import sys
from flowcage.child import zygote

zygote._is_asked, zygote._FIRST_FORKS = lambda _control: False, 1

really_move = zygote.move_descriptors

class Refuse:
    def find_spec(self, name, *_):
        raise ImportError(name + " was not loaded before the fork")

def and_import_nothing():
    really_move()
    sys.meta_path.insert(0, Refuse())

zygote.move_descriptors = and_import_nothing
zygote.main()
"""


def test_a_child_finds_everything_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import after the fork is paid for by every run, and copies pages that all could share.

    The second child is one of a zygote that has used its idle time up.
    """
    command = (*zygote_process._COMMAND[:2], "-c", _NO_IMPORT_AFTER_THE_FORK)
    monkeypatch.setattr(zygote_process, "_COMMAND", command)

    async def test(launcher: Watched) -> None:
        async def answer(call: AgentCall) -> AgentAnswer:
            return AgentAnswer(call.prompt)

        options = RunOptions(launcher=launcher, agent=answer)
        source = "phase('p'); log(args); export default agent('x', {label: 'l'}).then((x) => [x])"
        for _ in range(2):
            assert (await run_workflow(source, options=options)).result == ["x"]

    with_zygote(test)


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize(
    ("switch", "option"),
    [
        ("immortal_objects", "--mortal"),
        ("prepared_cages", "--no-plan"),
        ("gathered_memory", "--scattered"),
        ("short_cut", "--no-short-cut"),
    ],
)
def test_a_zygote_is_told_what_to_leave_out(switch: str, option: str, is_on: bool) -> None:
    async def test(launcher: Watched) -> None:
        for _ in range(5):  # the last ones are forked behind the work of its idle time
            await trivial(launcher)
        words = psutil.Process(only_zygote(launcher)).cmdline()
        assert (option in words) is not is_on

    switched: dict[str, Any] = {switch: is_on}
    with_zygote(test, lambda: Zygote(**switched))


def test_each_variable_turns_off_one_switch() -> None:
    program = (
        "from flowcage.host.process.launch import switches;"
        "print(*(name for name, is_on in vars(switches).items() if is_on is False))"
    )
    names = [name for name in vars(switches) if name.isupper()]
    for name in names:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env={f"FLOWCAGE_{name}": "0"}, stdout=subprocess.PIPE, check=True)
        assert done.stdout.decode().split() == [name]
    assert len(names) == 6


def test_descriptors_that_run_out_while_a_zygote_loads_cost_no_launch() -> None:
    async def test(launcher: Watched) -> None:
        launched: list[Spawned] = []

        async def launch() -> None:
            launched.append(await launcher.launch())

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(launch)
                await trio.testing.wait_all_tasks_blocked()
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await launch()
        assert launched[1].inherited_bytes > 0  # how much that is could not be read for the first
        for child in launched:
            await ChildProcess(child).close(kill=True)

    with_zygote(test)


def test_a_launch_waits_for_nobodys_cancellation() -> None:
    async def test(launcher: Watched) -> None:
        await trivial(launcher)
        os.kill(zygote := only_zygote(launcher), signal.SIGSTOP)
        launched: list[Spawned] = []

        async def launch() -> None:
            launched.append(await launcher.launch())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(launch)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            os.kill(zygote, signal.SIGCONT)  # the fork happens, and is told
        (child,) = launched
        await ChildProcess(child).close(kill=True)

    with_zygote(test)
