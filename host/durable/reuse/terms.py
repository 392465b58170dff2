"""What a fork reuses of a run: all of its answers, or those up to a point, some of them replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from flowcage.host.durable.reuse.calls import Call
from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.run.core.inputs import NOTHING, Answered
from flowcage.protocol.messages import Json

_NAMES = 5  # of calls that a message shows


class NotForkable(FlowcageError):
    """A run that cannot be reused as it was asked for; the message says why."""


class Terms(NamedTuple):
    """Of one fork.

    Attributes:
        at: only what was told before this turn is reused; the turns of a run are counted from 1, those of its
            child workflows included.
        from_call: only what was answered when this call was made.
        answers: in the place of those that the calls with these ids had, or had not.
        programs: whether what programs had answered is reused; what they did to files is not done again.
    """

    at: int | None = None
    from_call: str | None = None
    answers: Mapping[str, Json] = MappingProxyType({})
    programs: bool = False

    def to_json(self) -> Json:
        """As a store keeps it."""
        kept = {"v": 1, "at": self.at, "from": self.from_call, "answers": dict(self.answers)}
        return kept | {"programs": self.programs}

    @classmethod
    def of_json(cls, kept: Json) -> Terms:
        """The terms again. Raises `NotForkable` where a later version wrote them."""
        if not isinstance(kept, dict) or kept.get("v") != 1:
            raise NotForkable(
                "what the run reuses was written by another flowcage; use the one that began it"
            )
        return cls(kept["at"], kept["from"], kept["answers"], kept["programs"])


def apply(terms: Terms, calls: Sequence[Call]) -> list[Call]:
    """The calls as a fork may reuse them.

    Raises:
        NotForkable: there is no such turn or call.
    """
    by_id = {each.id: each for each in calls}
    _require(terms, by_id)
    start = by_id[terms.from_call].asked_at if terms.from_call is not None else None
    return [_under(terms, start, each) for each in calls]


def _require(terms: Terms, by_id: Mapping[str, Call]) -> None:
    turns = max([each.turn + 1 for each in by_id.values() if each.turn is not None], default=0)
    if terms.at is not None and not 1 <= terms.at <= turns + 1:
        raise NotForkable(
            f"the run has {turns} turns, so it can be forked at 1 to {turns + 1}, not at {terms.at}"
        )
    if terms.from_call is not None:
        _require_call(terms.from_call, by_id)
    for identifier in terms.answers:
        if _require_call(identifier, by_id).key is None and not by_id[identifier].is_workflow:
            raise NotForkable(f"call {identifier} has no answer that could be replaced: it is never reused")


def _require_call(identifier: str, by_id: Mapping[str, Call]) -> Call:
    if identifier not in by_id:
        some = ", ".join(list(by_id)[:_NAMES]) + (", …" if len(by_id) > _NAMES else "")
        raise NotForkable(f"the run has no call {identifier[:40]!r}; it has {some or 'none'}")
    return by_id[identifier]


def _under(terms: Terms, start: int | None, call: Call) -> Call:
    if call.id in terms.answers:
        spent = NOTHING if call.answer is None else call.answer.spent
        answer = Answered(call.id, terms.answers[call.id], spent)
        return replace(call, outcome="answered", answer=answer, replaced=True)
    is_later = terms.at is not None and (call.turn is None or call.turn + 1 >= terms.at)
    if start is not None and (call.answered_at is None or call.answered_at >= start):
        is_later = True
    return replace(call, outcome="later") if is_later and call.outcome == "answered" else call
