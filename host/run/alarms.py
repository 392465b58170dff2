"""Waiting without a task each: callbacks in the order of their time."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import trio


class Alarms:
    """Calls back at given times, as long as `watch` runs."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()  # of two at the same time, the one that was set first
        self._scope = trio.CancelScope()

    def at(self, due: float, callback: Callable[[], None]) -> None:
        """Have `callback` called at this time of trio's clock; it must not raise."""
        heappush(self._heap, (due, next(self._numbers), callback))
        self._scope.deadline = min(self._scope.deadline, due)

    async def watch(self) -> None:
        """Call back until cancelled."""
        while True:
            due = self._heap[0][0] if self._heap else math.inf
            with trio.CancelScope(deadline=due) as self._scope:
                await trio.sleep_forever()
            self._ring()

    def _ring(self) -> None:
        # Callbacks may set further alarms; those that are due at once wait for the next round.
        now = trio.current_time()
        due: list[Callable[[], None]] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[2])
        for callback in due:
            callback()
