"""Checks of schemas with everything that is charged for them recorded; none may leave a process behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import trio

from flowcage.host.agents.schema.checker import AT_ONCE, COMMAND, Checker
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.protocol.messages import Isolation

T = TypeVar("T")

DEADLINE_SECONDS = 300.0
# What takes for ever, whichever way it is looked at: 2**60 checks in 61 small schemas.
DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {
        **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)},
        "d60": {"type": "integer"},
    },
}


class Recorded:
    """A `Checker`, and what it told of its processes.

    Attributes:
        pids: of all processes, in order.
        most: that were there at once.
        cpu_seconds: as charged, one for each process.
    """

    def __init__(self, command: tuple[str, ...] = COMMAND, isolation: Isolation | None = None) -> None:
        self.pids: list[int] = []
        self.cpu_seconds: list[float] = []
        self.most = self.now = 0
        self.started = trio.Event()
        slots = trio.CapacityLimiter(AT_ONCE)
        self.checker = Checker(slots, isolation, self._process, self.cpu_seconds.append, command)
        self.checks = SchemaChecks(self.checker)

    @contextmanager
    def _process(self, pid: int, inherited: int) -> Iterator[None]:
        assert inherited == 0
        assert psutil.pid_exists(pid)
        self.pids.append(pid)
        self.now += 1
        self.most = max(self.most, self.now)
        self.started.set()
        try:
            yield
        finally:
            self.now -= 1
            assert not psutil.pid_exists(pid), "it is left before its process is reaped"

    async def why_not(self, schema: Any, value: Any) -> str | None:
        """Both steps, as for an agent's answer."""
        return await (await self.checks.admit(schema)).why_not(value)


def program(text: str) -> tuple[str, ...]:
    """A command that runs Python code instead of the checker; what the host adds is in ``sys.argv``."""
    return (sys.executable, "-I", "-c", text)


def settle(function: Callable[[], Awaitable[T]]) -> T:
    """Run to the end, within a deadline, with no process and no descriptor left."""

    async def bounded() -> T:
        open_before = _descriptors()
        with trio.fail_after(DEADLINE_SECONDS):
            result = await function()
        assert _descriptors() <= open_before
        return result

    children = set(psutil.Process().children())
    try:
        return trio.run(bounded)
    finally:
        assert set(psutil.Process().children()) <= children


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if os.path.isdir("/proc/self/fd") else 0
