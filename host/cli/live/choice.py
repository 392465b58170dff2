"""Which rows of a table are shown where there is no room for all, and how the others are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

# `active` and `done` are phases and child workflows; `more` stands for rows that are left out.
Kind: TypeAlias = Literal["run", "active", "done", "agent", "wait", "more"]


class Row(NamedTuple):
    """One line.

    Attributes:
        depth: of indentation.
        name: what stands on the left.
        done, total: calls of agents that have ended, of all; None where there are none to count.
        failed: of those that have ended.
        tokens, cost_usd: spent; `is_partly_priced` where not all of the cost is known.
        seconds: None for no clock.
        notes: with a style each, for what is left of the line.
    """

    kind: Kind
    depth: int
    name: str
    done: int | None = None
    total: int | None = None
    failed: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    is_partly_priced: bool = False
    seconds: float | None = None
    notes: tuple[tuple[str, str], ...] = ()


class Item(NamedTuple):
    """A row that is shown if there is room.

    Attributes:
        rank: what has a higher one gives way first.
        group: whose row it is; rows of one group that are left out are counted together.
        weight: what it counts for, then.
    """

    row: Row
    rank: tuple[int, int]
    group: int
    weight: int = 1


def more(count: int) -> str:
    """What stands for so many."""
    return f"… {count} more"


def chosen(items: list[Item], room: int) -> Iterator[Row]:
    """Those that there is room for, with rows for the others."""
    if len(items) <= room:
        yield from (item.row for item in items)
        return
    kept = sorted(range(len(items)), key=lambda index: (items[index].rank, index))[:room]
    left = _Left(items, kept)
    while kept and len(kept) + left.rows > room:
        left.drop(items[kept.pop()])
    shown = set(kept)
    # A row for a single one would be as long as its own.
    shown.update(index for index, item in enumerate(items) if item.weight == 1 and left.of(item.group) == 1)
    told: set[int] = set()
    for index, item in enumerate(items):
        if index in shown:
            yield item.row
        elif item.group not in told and (count := left.of(item.group)) > 1:
            told.add(item.group)
            yield Row("more", item.row.depth, more(count))
    if left.rest:
        yield Row("more", 1, f"{more(left.rest)} in child workflows")


class _Left:
    """Counts of what is left out, by group.

    A group of which nothing is shown has no row: that of its phase tells of its agents. Phases and workflows
    of such groups are counted together, in `rest`.
    """

    def __init__(self, items: list[Item], kept: list[int]) -> None:
        self._shown = Counter(items[index].group for index in kept)
        self._counts: Counter[int] = Counter()
        self._calls: set[int] = set()
        shown = set(kept)
        for index, item in enumerate(items):
            if item.row.kind in ("agent", "wait", "more"):
                self._calls.add(item.group)
            if index not in shown:
                self._counts[item.group] += item.weight

    def drop(self, item: Item) -> None:
        """One more is left out."""
        self._shown[item.group] -= 1
        self._counts[item.group] += item.weight

    def of(self, group: int) -> int:
        """How many, if a row says so."""
        return self._counts[group] if self._shown[group] else 0

    @property
    def rest(self) -> int:
        """How many of the groups that have no row."""
        groups = (group for group in self._counts if not self._shown[group] and group not in self._calls)
        return sum(self._counts[group] for group in groups)

    @property
    def rows(self) -> int:
        """That tell of them."""
        return sum(count > 0 and self._shown[group] > 0 for group, count in self._counts.items()) + bool(
            self.rest
        )
