"""Distributions that are counted in buckets, a bounded number of them for labels that others choose."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping

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


class Histograms:
    """A histogram for each combination of labels that was seen, and one for all others beyond a bound.

    Args:
        bounds: of each.
        most: combinations that have their own.
    """

    def __init__(self, bounds: tuple[float, ...], most: int) -> None:
        self._bounds = bounds
        self._most = most
        self._by_labels: dict[Labels, Histogram] = {}

    def add(self, labels: Labels, value: float) -> Labels:
        """Count one value; the labels under which it was counted."""
        histogram = self._by_labels.get(labels)
        if histogram is None:
            if len(self._by_labels) >= self._most:
                labels = (OTHER,) * len(labels)
            histogram = self._by_labels.setdefault(labels, Histogram(self._bounds))
        histogram.add(value)
        return labels

    def items(self) -> Mapping[Labels, Histogram]:
        """All that there are by now."""
        return self._by_labels


class Names:
    """Pairs of names that others choose, as labels: safe, short, and no more of them than are told apart.

    Args:
        most: pairs that keep their names.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[tuple[str | None, str | None], tuple[str, str]] = {}

    def labels(self, first: str | None, second: str | None) -> tuple[str, str]:
        """The pair as labels; "" for a name that is not there."""
        pair = (first, second)
        if (known := self._known.get(pair)) is not None:
            return known
        if len(self._known) >= self._most:
            return OTHER, OTHER
        labels = self._known[pair] = label(first), label(second)
        return labels


def label(name: str | None) -> str:
    """A name as a label: one line of UTF-8, cut where it is long."""
    return safe((name or "")[:MAX_LABEL]).replace("\n", " ")
