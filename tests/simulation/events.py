"""A virtual clock: what happens, in its order; nothing takes time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Happens = Callable[[], None]


class Events:
    """Attributes:
    now: milliseconds.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self._heap: list[tuple[int, int, Happens]] = []
        self._count = 0

    def after(self, milliseconds: float, happens: Happens) -> None:
        """Let something happen later."""
        self._count += 1
        heappush(self._heap, (self.now + max(0, int(milliseconds)), self._count, happens))

    def next(self) -> bool:
        """Let the next thing happen: whether there was one."""
        if not self._heap:
            return False
        self.now, _, happens = heappop(self._heap)
        happens()
        return True
