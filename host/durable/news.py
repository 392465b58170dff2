"""News of a store, told to every task that waits for some: only one can read the pipe or the connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

import trio


class News:
    """Of one host of a store.

    Args:
        read: waits until there is news.
    """

    def __init__(self, read: Callable[[], Awaitable[None]]) -> None:
        self._read = read
        self._count = 0
        self._seen: WeakKeyDictionary[trio.lowlevel.Task, int] = WeakKeyDictionary()
        self._reading: trio.Event | None = None

    async def wait(self) -> None:
        """Wait until something was told since the last call of this task."""
        task = trio.lowlevel.current_task()
        if self._seen.get(task, 0) < self._count:
            self._seen[task] = self._count
            await trio.lowlevel.checkpoint()
            return
        while self._seen.get(task, 0) == self._count:
            if self._reading is None:
                await self._take()
            else:  # the task that reads may be cancelled: then this one goes on
                await self._reading.wait()
        self._seen[task] = self._count

    async def _take(self) -> None:
        self._reading = event = trio.Event()
        try:
            await self._read()
            self._count += 1
        finally:
            self._reading = None
            event.set()
