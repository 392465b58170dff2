"""Spares: children that wait for a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import LaunchFailed, RunOptions, run_workflow
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.reserve import Reserve
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.supervisor import initialize_message
from flowcage.protocol.limits import Limits

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
            await trio.testing.wait_all_tasks_blocked()
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
            await trio.testing.wait_all_tasks_blocked()
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


@pytest.mark.parametrize("other", [{"limits": Limits(cpu_seconds=7)}, {"isolation": "best_effort"}])
def test_a_spare_that_was_initialized_for_another_run_is_refused(other: dict[str, Any]) -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            options = RunOptions(launcher=reserve, isolation="none")
            await run_workflow("return 1", options=options)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(LaunchFailed, match="initialized with other limits"):
                await run_workflow("return 1", options=replace(options, **other))
            reserve.close()

    with_deadline(main)


def test_a_child_of_another_cage_is_no_spare_and_its_crash_ends_the_spares() -> None:
    async def main() -> None:
        async with watched(Spawn) as launcher, trio.open_nursery() as nursery:
            reserve = Reserve(launcher, USUAL, nursery.start_soon)
            first = await reserve.launch()
            await trio.testing.wait_all_tasks_blocked()
            spares = set(launcher.pids) - {first.pid}
            assert spares
            other = await reserve.unprepared.launch()
            assert other.pid not in spares
            assert other.initialize is None
            reserve.unprepared.distrust()
            assert launcher.distrusted == 1
            assert not any(map(psutil.pid_exists, spares))
            for spawned in (first, other):
                await ChildProcess(spawned).close(kill=True)
            reserve.close()

    with_deadline(main)


def with_deadline(main: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            await main()

    trio.run(in_time)
