"""In what order old answers are told: in the old one.

Among those that wait, the ones that the old run was told with the lowest turn go first, together. Nothing
waits for a call that has not been made.
"""

from __future__ import annotations

import heapq
import math

from flowcage.host.durable.reuse.calls import Call


class Waiting:
    """New calls that have an old answer, which they were not told yet."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, str]] = []
        self._old: dict[str, Call] = {}
        self._added = 0

    def __len__(self) -> int:
        return len(self._old)

    def add(self, identifier: str, old: Call) -> None:
        """Have a new call wait for this answer."""
        self._added += 1
        self._old[identifier] = old
        heapq.heappush(self._heap, (turn_of(old), old.place, self._added, identifier))

    def drop(self, identifier: str) -> None:
        """It waits no more."""
        self._old.pop(identifier, None)

    @property
    def turn(self) -> float:
        """Of the next group; infinite for answers that the old run was never told."""
        self._skip()
        return self._heap[0][0] if self._heap else math.inf

    def next_group(self) -> list[tuple[str, Call]]:
        """Take the calls that are told next, together and in this order."""
        turn, group = self.turn, []
        while self._heap and self._heap[0][0] == turn:
            identifier = heapq.heappop(self._heap)[3]
            group.append((identifier, self._old.pop(identifier)))
            self._skip()
        return group

    def _skip(self) -> None:
        while self._heap and self._heap[0][3] not in self._old:
            heapq.heappop(self._heap)


def turn_of(old: Call) -> float:
    """When it was told."""
    return math.inf if old.turn is None else old.turn
