"""What the host's tests share: children that can be named, and proof that they are gone."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import psutil

from flowcage.host.launch.spawn import Spawned, spawn

FAKE_CHILD = Path(__file__).parent / "fake_child.py"


class Launcher:
    """Starts children and remembers them, so that a test can see that none is left."""

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        self._spawn = partial(spawn, command)
        self.pids: list[int] = []
        self._open = _descriptors()

    def __call__(self) -> Spawned:
        spawned = self._spawn()
        self.pids.append(spawned.pid)
        return spawned

    def assert_nothing_left(self) -> None:
        """Every child was started, has ended and was reaped; no descriptor stayed open."""
        assert self.pids
        for pid in self.pids:
            assert not psutil.pid_exists(pid), psutil.Process(pid)
        assert _descriptors() <= self._open


def fake_child(method: str, fault: str) -> Launcher:
    """A launcher of children that misbehave at one message."""
    return Launcher((sys.executable, "-I", str(FAKE_CHILD), method, fault))


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
