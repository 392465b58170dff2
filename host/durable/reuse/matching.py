"""Which old call each new one is, and in what order the answers are given.

A new call is the nth of its content, label and phase, and so was an old one: that is its answer. Labels keep
equal prompts apart when one of them is removed. Where the old run had none with this label and phase, any
call with the content that is left will do: a label that was reworded costs nothing. Each old call is used
once. What failed is not reused, and is not replaced by another: it is tried again.

Answers are given in the old order: among those that wait, the ones that the old run was told with the lowest
turn go first, together. Nothing waits for a call that has not been made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from flowcage.host.durable.reuse.calls import Call


class Matching:
    """Hands out old calls to new ones, in the order in which these are made.

    Args:
        old: the calls of the old run.
    """

    def __init__(self, old: Sequence[Call]) -> None:
        self._left: dict[str, list[Call]] = defaultdict(list)
        self._nth: Counter[tuple[str | None, ...]] = Counter()
        self._number: dict[str, int] = {}
        for call in old:
            if call.key is not None:
                self._left[call.key].append(call)
                self._number[call.id] = self._count(self._nth, call)
        self._made: Counter[tuple[str | None, ...]] = Counter()

    def take(self, new: Call) -> Call | None:
        """The old call that this is, if it has an answer to give."""
        if new.key is None:
            return None
        number, left = self._count(self._made, new), self._left[new.key]
        exact = [
            old
            for old in left
            if (old.label, old.phase, self._number[old.id]) == (new.label, new.phase, number)
        ]
        found = exact or [old for old in left if old.outcome == "answered"]
        if not found:
            return None
        left.remove(found[0])
        return found[0] if found[0].outcome == "answered" else None

    @staticmethod
    def _count(counter: Counter[tuple[str | None, ...]], call: Call) -> int:
        who = (call.key, call.label, call.phase)
        counter[who] += 1
        return counter[who]


def next_group(waiting: Sequence[tuple[str, Call]]) -> list[str]:
    """Which of the new calls that wait for an old answer are told next, together and in this order.

    Args:
        waiting: id of each new call, and the old one that it is.
    """
    if not waiting:
        return []
    first = min(_turn(old) for _, old in waiting)
    group = [(old.place, identifier) for identifier, old in waiting if _turn(old) == first]
    return [identifier for _, identifier in sorted(group, key=lambda each: each[0])]


def _turn(old: Call) -> float:
    return float("inf") if old.turn is None else old.turn
