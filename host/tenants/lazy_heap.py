"""A priority queue whose items change their keys while they are in it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_SMALL = 64


class LazyHeap(Generic[Item]):
    """Has one entry for each item and corrects it when it reaches the top.

    That suffices for keys that only grow: an entry with an old, smaller key reaches the top too early, never
    too late. An item whose key has shrunk comes too late.

    Args:
        key: an item's key now, or None if the item does not belong here any more.
    """

    def __init__(self, key: Callable[[Item], float | None]) -> None:
        self._key = key
        self._heap: list[tuple[float, int, Item]] = []
        self._members: set[Item] = set()
        self._added = 0
        self._prune_at = _SMALL

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, item: Item) -> None:
        """Put the item in, unless it is in or its key is None."""
        key = self._key(item)
        if key is None or item in self._members:
            return
        if len(self._heap) >= self._prune_at:
            self._prune()
        self._added += 1  # of equal keys the oldest comes first
        heapq.heappush(self._heap, (key, self._added, item))
        self._members.add(item)

    def first(self) -> tuple[float, Item] | None:
        """The smallest key and its item, without removing them; None if the heap is empty."""
        while self._heap:
            known, added, item = self._heap[0]
            key = self._key(item)
            if key is None:
                self.remove_first()
            elif key > known:
                heapq.heapreplace(self._heap, (key, added, item))
            else:
                return key, item
        return None

    def remove_first(self) -> None:
        """Remove what `first` returned."""
        self._members.discard(heapq.heappop(self._heap)[2])

    def _prune(self) -> None:
        # Items whose key became None leave only at the top; below it they would pile up without bound.
        kept = [entry for entry in self._heap if self._key(entry[2]) is not None]
        heapq.heapify(kept)
        self._heap, self._members = kept, {item for _, _, item in kept}
        self._prune_at = max(_SMALL, 2 * len(kept))
