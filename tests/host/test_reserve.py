"""Spares: children that wait for a run."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest
import trio
import trio.testing

from flowcage.host.launch.launcher import Spawned
from flowcage.host.launch.reserve import Reserve
from flowcage.host.launch.spawn import Spawn
from flowcage.host.process import ChildProcess

from .launchers import watched

DEADLINE_SECONDS = 60.0


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
            reserve = Reserve(launcher, b"", nursery.start_soon)
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
