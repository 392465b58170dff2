"""Spares: children that wait for a run."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import Host, LaunchFailed, RunOptions, run_workflow
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.glances import Patience
from flowcage.host.process.launch.greeting import Greeting, initialize_message
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.reserve import Reserve, _greeted
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.reaping import end_at_once, end_spawned, prepared
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Initialize

from ..host.launchers import watched

DEADLINE_SECONDS = 300.0
USUAL = initialize_message(Limits(), "none")


class Slow(Spawn):
    """Children are handed over when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = trio.Event()

    async def launch(self) -> Spawned:
        spawned = await super().launch()
        await self.gate.wait()
        return spawned


async def filled(reserve: Reserve) -> None:
    """Return when the spares have answered, or were ended."""
    while reserve.coming:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("end_spares", [Reserve.distrust, Reserve.close])
def test_a_spare_that_was_on_its_way_is_ended_as_the_others_are(
    end_spares: Callable[[Reserve], None],
) -> None:
    async def main() -> None:
        slow = Slow()
        with trio.fail_after(DEADLINE_SECONDS):
            await test(slow)

    async def test(slow: Slow) -> None:
        async with watched(lambda: slow) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            launched: list[Spawned] = []

            async def launch() -> None:
                launched.append(await reserve.launch())

            nursery.start_soon(launch)
            await trio.testing.wait_all_tasks_blocked()
            end_spares(reserve)
            slow.gate.set()
            await filled(reserve)
            assert len(launcher.pids) > 1
            (asked_for,) = launched
            assert [pid for pid in launcher.pids if psutil.pid_exists(pid)] == [asked_for.pid]
            await ChildProcess(asked_for).close(kill=True)
            reserve.close()

    trio.run(main)


def test_a_spare_was_sent_its_first_message_and_a_run_sends_it_no_other() -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            options = RunOptions(launcher=reserve, isolation="none")
            fresh = await run_workflow("return 1", options=options)
            await filled(reserve)
            handed_out: list[Spawned] = []

            async def launch() -> Spawned:
                handed_out.append(await Reserve.launch(reserve))
                return handed_out[-1]

            reserve.launch = launch  # type: ignore[method-assign]
            spare = await run_workflow("return 1", options=options)
            assert [child.initialize for child in handed_out] == [USUAL]
            assert (fresh.result, spare.result) == (1, 1)
            assert (fresh.usage.messages, fresh.usage.bytes_sent) == (
                spare.usage.messages,
                spare.usage.bytes_sent,
            )
            reserve.close()

    with_deadline(main)


class HalfAnswering(Spawn):
    """Children of which half an answer is there, and no more comes."""

    async def launch(self) -> Spawned:
        spawned = await super().launch()
        os.close(spawned.stdout)
        reading, self.writing = os.pipe()
        os.write(self.writing, b'{"jsonrpc":')
        return spawned._replace(stdout=reading)


def test_half_an_answer_that_has_come_in_time_is_not_lost_for_the_run() -> None:
    clock = trio.testing.MockClock()

    async def main() -> None:
        launcher = HalfAnswering()
        child = prepared(await launcher.launch())
        spare: list[Spawned] = []

        async def greet() -> None:
            spare.append(await _greeted(child, Greeting(USUAL)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(greet)
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(Patience().wall_seconds + 1)
        assert (spare[0].said, spare[0].initialized) == (b'{"jsonrpc":', None)
        os.close(launcher.writing)
        end_spawned(spare[0])

    trio.run(main, clock=clock)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfds")
def test_a_spare_that_somebody_else_has_reaped_costs_no_other_process_its_life() -> None:
    """The pid of such a spare may be another's; here it is that of a process which was started later."""

    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            await ChildProcess(await reserve.launch()).close(kill=True)
            await filled(reserve)
            spares = reserve._usual.spares
            dead, lives = spares.popleft(), spares.popleft()
            end_at_once(dead.pid)
            spares.append(dead._replace(pid=lives.pid))
            reserve.distrust()
            assert psutil.Process(lives.pid).status() != psutil.STATUS_ZOMBIE
            await ChildProcess(lives).close(kill=True)
            reserve.close()

    with_deadline(main)


@pytest.mark.parametrize("other", [{"limits": Limits(cpu_seconds=67)}, {"isolation": "best_effort"}])
def test_a_spare_that_was_initialized_for_another_run_is_refused(other: dict[str, Any]) -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            options = RunOptions(launcher=reserve, isolation="none")
            await run_workflow("return 1", options=options)
            await filled(reserve)
            with pytest.raises(LaunchFailed, match="initialized with other limits"):
                await run_workflow("return 1", options=replace(options, **other))
            reserve.close()

    with_deadline(main)


def test_a_child_of_another_cage_is_no_spare_and_its_crash_ends_the_spares() -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            first = await reserve.launch()
            await filled(reserve)
            spares = set(launcher.pids) - {first.pid}
            assert spares
            launcher_of_other = reserve.of(initialize_message(Limits(), "best_effort"))
            other = await launcher_of_other.launch()
            assert other.pid not in spares
            assert other.initialize is None
            launcher_of_other.distrust()
            assert launcher.distrusted == 1
            assert not any(map(psutil.pid_exists, spares))
            for spawned in (first, other):
                await ChildProcess(spawned).close(kill=True)
            reserve.close()

    with_deadline(main)


def message(cpu_seconds: int) -> Initialize:
    """The first message of a run with a limit of its own, higher than the usual one."""
    return initialize_message(Limits(cpu_seconds=cpu_seconds), "none")


def test_limits_that_two_runs_in_a_row_ask_for_are_kept_ready_and_the_latest_replace_others() -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)

            async def told(asked: Initialize) -> Initialize | None:
                spawned = await reserve.of(asked).launch()
                await filled(reserve)
                await ChildProcess(spawned).close(kill=True)
                return spawned.initialize

            assert [await told(USUAL) for _ in range(2)] == [USUAL, USUAL]
            assert [await told(message(67)) for _ in range(3)] == [None, message(67), message(67)]
            assert await told(USUAL) == USUAL
            assert await told(message(67)) == message(67)
            assert await told(message(68)) is None  # once asked for, it takes no other's place
            assert await told(message(67)) == message(67)
            kept = [pid for pid in launcher.pids if psutil.pid_exists(pid)]
            assert [await told(message(69)) for _ in range(3)] == [None, message(69), message(69)]
            assert sum(map(psutil.pid_exists, kept)) == 2  # the usual ones
            reserve.close()
            await filled(reserve)
            assert not any(map(psutil.pid_exists, launcher.pids))

    with_deadline(main)


def test_spares_on_their_way_for_limits_that_others_have_replaced_are_ended() -> None:
    async def main() -> None:
        slow = Slow()
        launched: list[Spawned] = []
        async with watched(lambda: slow) as launcher:
            async with trio.open_nursery() as nursery:
                reserve = Reserve(launcher, USUAL, nursery.start_soon)

                async def launch(asked: Initialize) -> None:
                    launched.append(await reserve.of(asked).launch())

                for asked in (message(67), message(67), message(68), message(68)):
                    nursery.start_soon(launch, asked)
                    await trio.testing.wait_all_tasks_blocked()
                slow.gate.set()
            reserve.close()
            assert len(launched) == 4 < len(launcher.pids)
            for spawned in launched:
                await ChildProcess(spawned).close(kill=True)
            assert not any(map(psutil.pid_exists, launcher.pids))

    with_deadline(main)


def test_a_crash_ends_the_spares_of_all_limits() -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            given = [await reserve.of(each).launch() for each in (USUAL, message(67), message(67))]
            await filled(reserve)
            spares = set(launcher.pids) - {spawned.pid for spawned in given}
            assert len(spares) >= 4  # of both
            reserve.of(message(67)).distrust()
            assert launcher.distrusted == 1
            assert not any(map(psutil.pid_exists, spares))
            for spawned in given:
                await ChildProcess(spawned).close(kill=True)
            reserve.close()

    with_deadline(main)


def test_runs_with_limits_of_their_own_are_held_to_them_also_by_a_spare() -> None:
    async def main() -> None:
        async with Host(options=RunOptions(isolation="none"), launcher=Spawn) as host:
            outcomes = [await host.run("return 1", limits={"cpuSeconds": 67}) for _ in range(4)]
            assert [outcome.report.limits["cpuSeconds"] for outcome in outcomes] == [67] * 4
            assert (await host.run("return 1")).report.limits["cpuSeconds"] == Limits().cpu_seconds

    with_deadline(main)


def with_deadline(main: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            await main()

    trio.run(in_time)
