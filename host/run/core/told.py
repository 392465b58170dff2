"""What is told of an agent's answer beside its value: what whoever answered said of it, and what it cost."""

from __future__ import annotations

from flowcage.host.run.core.inputs import Facts, Spent, sum_of
from flowcage.host.run.core.tree import Call

_FACTS = frozenset({"usage", "model", "session_id", "cached"})


def known(facts: Facts) -> Facts:
    """Those that the event has a member for; a store may hold any."""
    return {name: fact for name, fact in facts.items() if name in _FACTS} if facts else facts


def whole(call: Call, spent: Spent) -> Spent:
    """What a try cost, with what was counted when its answer was heard."""
    return spent if call.heard is None else sum_of(call.heard.spent, spent)
