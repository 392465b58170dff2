"""Distributions that are counted in buckets, and the labels that tell them apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from flowcage.host.terminal.text import safe

# In the place of each label of what came after as many as are told apart.
OTHER = "other"
MAX_LABEL = 100

Labels = tuple[str, ...]


class Histogram:
    """Counts values in buckets.

    Args:
        bounds: upper ends, inclusive and ascending; a last bucket has what is above.

    Attributes:
        counts: by bucket.
        total: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[str, int]]:
        """Each bucket's upper end as text, and how many values are at or below it."""
        below = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            yield bound, below


def label(name: str | None) -> str:
    """A name as a label: one line of UTF-8, cut where it is long."""
    return safe((name or "")[:MAX_LABEL]).replace("\n", " ")
