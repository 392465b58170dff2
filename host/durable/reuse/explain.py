"""Why each call of a new run has an answer of the old one, or has none: what a person changes a script by.

A miss has one of these reasons: the old call failed, or its answer came later than the point at which the old
run was forked; the content was asked less often before; a field differs
(a prompt with its first place, an option with both values); the prompt holds an answer that is new itself
(a cascade: its cause is the call that is named); or nothing in the old run is like it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from flowcage.host.durable.history.forms import Withheld
from flowcage.host.durable.reuse.calls import Call, kind_of
from flowcage.protocol.messages import Json

_SHOWN = 24  # characters of a prompt on either side
_COMPARED = 2_000
_LOST = {"failed": "failed before", "open": "had no answer", "later": "was answered after the fork"}
_SHORTEST_CAUSE = 8  # characters of an answer that is looked for in prompts


class Explained(NamedTuple):
    """One call of the new run.

    Attributes:
        kind: ``agent``, ``sleep``, ``workflow`` or ``sandbox_exec``.
        label, phase: of an agent's call.
        reused: id of the old call whose answer it has.
        why: it has none.
        tokens: that the old call had cost.
    """

    id: str
    kind: str
    label: str | None
    phase: str | None
    reused: str | None
    why: str | None = None
    tokens: int = 0

    def to_json(self) -> dict[str, Json]:
        """In the form of the command line."""
        return dict(self._asdict())


def explain(old: Sequence[Call], decisions: Sequence[tuple[Call, Call | None]]) -> list[Explained]:
    """What becomes of each call of the new run, in the order in which they were made.

    Args:
        old: the calls of the old run.
        decisions: each new call, and the old one whose answer it has.
    """
    used = {match.id for _, match in decisions if match is not None}
    fresh: dict[str, str] = {}
    asked: Counter[str | None] = Counter()
    explained = []
    for call, match in decisions:
        asked[call.key] += 1
        why = None if match is not None else _why(call, old, used, fresh, asked[call.key])
        explained.append(_explained(call, match, why))
        if match is None and call.answer is not None:
            fresh[call.id] = _text(call.answer.value)
    return explained


def _explained(call: Call, match: Call | None, why: str | None) -> Explained:
    tokens = 0 if match is None or match.answer is None else match.answer.spent.tokens
    kind = kind_of(call.request)
    return Explained(call.id, kind, call.label, call.phase, None if match is None else match.id, why, tokens)


def _why(call: Call, old: Sequence[Call], used: set[str], fresh: Mapping[str, str], times: int) -> str:
    if call.content is None or call.key is None:
        return "is never reused"
    same = [each for each in old if each.key == call.key]
    failed = next((each for each in same if each.outcome != "answered" and each.id not in used), None)
    if failed is not None:
        return f"#{failed.id} {_LOST[failed.outcome]}"
    if same:
        return f"asked {len(same)} {'time' if len(same) == 1 else 'times'} before, {times} times now"
    near = _nearest(call, [each for each in old if each.id not in used])
    if near is None or near.content is None:
        return "new: the old run has no call left that is like it"
    changes = differences(near.content.fields, call.content.fields, fresh)
    return f"#{near.id}: {'; '.join(changes)}"


def differences(old: Mapping[str, Json], new: Mapping[str, Json], fresh: Mapping[str, str]) -> list[str]:
    """The fields in which two calls of one kind differ.

    Args:
        old, new: their fields.
        fresh: answers that the old run did not have, by the id of their call.
    """
    return [
        _difference(name, old.get(name), new.get(name), fresh)
        for name in sorted(old.keys() | new.keys(), key=lambda name: (name != "prompt", name))
        if json.dumps(old.get(name), sort_keys=True) != json.dumps(new.get(name), sort_keys=True)
        or _digest(old.get(name)) != _digest(new.get(name))
    ]


def _difference(name: str, old: Json, new: Json, fresh: Mapping[str, str]) -> str:
    if isinstance(old, Withheld) or isinstance(new, Withheld):
        return f"{name} differs; it was not stored"
    if name != "prompt" or not isinstance(old, str) or not isinstance(new, str):
        return f"{name}: {_shown(old)} -> {_shown(new)}"
    causes = [f"#{identifier}" for identifier, text in fresh.items() if _is_cause(text, old, new)]
    if causes:
        return f"prompt holds the new answer of {', '.join(causes)}"
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return f"prompt differs at character {at}: {old[at : at + _SHOWN]!r} -> {new[at : at + _SHOWN]!r}"


def _is_cause(text: str, old: str, new: str) -> bool:
    return len(text) >= _SHORTEST_CAUSE and text in new and text not in old


def _nearest(call: Call, left: Sequence[Call]) -> Call | None:
    """The old call that this one most likely was: by its label, or else by its prompt."""
    assert call.content is not None
    of_kind = [each for each in left if each.content is not None and each.content.kind == call.content.kind]
    named = [each for each in of_kind if call.label and (each.label, each.phase) == (call.label, call.phase)]
    ranked = sorted(named or of_kind, key=lambda each: -_likeness(call, each))
    return ranked[0] if ranked else None


def _likeness(call: Call, other: Call) -> float:
    one, two = (
        "" if each.content is None else _text(each.content.fields.get("prompt"))[:_COMPARED]
        for each in (call, other)
    )
    return SequenceMatcher(None, one, two, autojunk=False).quick_ratio()


def _digest(value: Json) -> str:
    return value.digest if isinstance(value, Withheld) else ""


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
