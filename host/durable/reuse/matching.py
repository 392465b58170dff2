"""Which old call each new one is.

A new call is the first that is left of its content, label and phase in the workflow that its own was. Labels
keep equal prompts apart when one of them is removed. Where the old workflow had none with this label and
phase, any call with the content that is left will do, of this workflow before others: a label that was
reworded costs nothing, nor does a call that has moved to a child workflow. Each old call is used once. What
failed is not reused, and is not replaced by another: it is tried again.

Calls are looked up by key, label and path, never by going through all: a workflow may make 20,000 equal ones.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from flowcage.host.durable.reuse.calls import Call


class Matching:
    """Hands out old calls to new ones, in the order in which these are made.

    Args:
        old: the calls of the old run.
    """

    def __init__(self, old: Sequence[Call]) -> None:
        self._rows: dict[tuple[str | None, ...], deque[Call]] = defaultdict(deque)
        self._used: set[str] = set()
        self._by_id = {call.id: call for call in old}
        for call in old:
            if call.key is None:
                continue
            self._rows["exact", call.key, call.path, call.label, call.phase].append(call)
            if call.outcome == "answered":
                self._rows["here", call.key, call.path].append(call)
                self._rows["named", call.key, call.label, call.phase].append(call)
                self._rows["any", call.key].append(call)

    def take(self, new: Call, home: str | None = "", prefer: str | None = None) -> Call | None:
        """The old call that this is, if it has an answer to give.

        Args:
            new: the call.
            home: path of the workflow that its own is in the old run; None for a workflow that is new.
            prefer: id of the old call that is taken before all others with this content.
        """
        if new.key is None:
            return None
        found = self._preferred(new.key, prefer)
        for row in (
            ("exact", new.key, home, new.label, new.phase),
            ("here", new.key, home),
            ("named", new.key, new.label, new.phase),
            ("any", new.key),
        ):
            found = found or self._first(row)
        if found is None:
            return None
        self.use(found.id)
        return found if found.outcome == "answered" else None

    def use(self, identifier: str) -> None:
        """Have an old call be used, whatever it matches."""
        self._used.add(identifier)

    def is_used(self, identifier: str) -> bool:
        """Whether an old call was taken."""
        return identifier in self._used

    def _preferred(self, key: str, prefer: str | None) -> Call | None:
        call = self._by_id.get(prefer or "")
        return call if call is not None and call.key == key and call.id not in self._used else None

    def _first(self, row: tuple[str | None, ...]) -> Call | None:
        left = self._rows.get(row)
        while left and left[0].id in self._used:
            left.popleft()
        return left[0] if left else None
