"""What the host's tests share: children that can be named, and proof that they are gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import psutil

from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.launch.spawn import Spawn

from .zygote import at_work


class Launcher:
    """Starts children and remembers them, so that a test can see that none is left.

    Args:
        command: None for flowcage's own child, which is forked where tests/conftest.py has a zygote.
        hear: called with each child that was started.
    """

    def __init__(
        self, command: tuple[str, ...] | None = None, hear: Callable[[Spawned], None] = lambda _: None
    ) -> None:
        self._command = command
        self._hear = hear
        self.pids: list[int] = []
        self._open = _descriptors()

    async def launch(self) -> Spawned:
        """As `Spawn.launch`."""
        zygote = at_work() if self._command is None else None
        if zygote is None:
            spawned = await Spawn(self._command).launch()
        else:
            spawned = Spawned(*zygote.fork(), zygote.private_bytes)
        self.pids.append(spawned.pid)
        self._hear(spawned)
        return spawned

    def distrust(self) -> None:
        """As `Spawn.distrust`."""

    def assert_nothing_left(self) -> None:
        """Every child was started, has ended and was reaped; no descriptor stayed open."""
        assert self.pids
        for pid in self.pids:
            assert not psutil.pid_exists(pid), psutil.Process(pid)
        assert _descriptors() <= self._open


def fake_child(step: str, fault: str) -> Launcher:
    """A launcher of the kit's children that misbehave at one step."""
    return Launcher((sys.executable, "-I", "-m", "flowcage.conformance.fake_child", f"{step}/{fault}"))


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
