"""News of a store, told to every task that waits for some: only one can read the pipe or the connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

import trio


class News:
    """Of one host of a store.

    Args:
        read: waits until there is news. Whether it is of the queue alone.
    """

    def __init__(self, read: Callable[[], Awaitable[bool]]) -> None:
        self._read = read
        self._count = 0
        self._last_of_all = 0  # that was not of the queue alone
        self._seen: WeakKeyDictionary[trio.lowlevel.Task, int] = WeakKeyDictionary()
        self._reading: trio.Event | None = None

    async def wait(self, *, of_queue: bool = False) -> None:
        """Wait until something was told since the last call of this task.

        Args:
            of_queue: also what is of the queue alone.
        """
        task = trio.lowlevel.current_task()
        if self._has_some(task, of_queue):
            self._seen[task] = self._count
            await trio.lowlevel.checkpoint()
            return
        while not self._has_some(task, of_queue):
            if self._reading is None:
                await self._take()
            else:  # the task that reads may be cancelled: then this one goes on
                await self._reading.wait()
        self._seen[task] = self._count

    def _has_some(self, task: trio.lowlevel.Task, of_queue: bool) -> bool:
        return self._seen.get(task, 0) < (self._count if of_queue else self._last_of_all)

    async def _take(self) -> None:
        self._reading = event = trio.Event()
        try:
            is_of_queue = await self._read()
            self._count += 1
            if not is_of_queue:
                self._last_of_all = self._count
        finally:
            self._reading = None
            event.set()
