"""Both launchers, watched: what they started is known, and must be gone in the end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from flowcage.host.process.launch.launcher import ClosableLauncher, Spawned
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.launch.zygote import Zygote

from .left_over import nothing_left

BOTH = pytest.mark.parametrize("make", [Spawn, Zygote])
Make = Callable[[], ClosableLauncher]


class Watched:
    """A launcher that remembers its children, and whose were there before it."""

    def __init__(self, launcher: ClosableLauncher) -> None:
        self._launcher = launcher
        self._before = set(psutil.Process().children())
        self.pids: list[int] = []
        self.distrusted = 0

    async def launch(self) -> Spawned:
        """As the launcher."""
        spawned = await self._launcher.launch()
        self.pids.append(spawned.pid)
        return spawned

    def distrust(self) -> None:
        """As the launcher."""
        self.distrusted += 1
        self._launcher.distrust()

    async def aclose(self) -> None:
        """As the launcher."""
        await self._launcher.aclose()

    def processes(self) -> set[psutil.Process]:
        """What this process has started since, zombies included."""
        return set(psutil.Process().children()) - self._before


@asynccontextmanager
async def watched(make: Make) -> AsyncIterator[Watched]:
    """A launcher for the length of the block, which must leave no process and no descriptor."""
    with nothing_left():
        launcher = Watched(make())
        try:
            yield launcher
        finally:
            await launcher.aclose()
    for pid in launcher.pids:
        assert not psutil.pid_exists(pid)


def zygotes(launcher: Watched) -> list[psutil.Process]:
    """Those at work; a child is in its zygote's process group until it is caged, and known by then."""
    return [
        process
        for process in launcher.processes()
        if process.status() != psutil.STATUS_ZOMBIE
        and process.pid not in launcher.pids
        and os.getpgid(process.pid) == process.pid
    ]
