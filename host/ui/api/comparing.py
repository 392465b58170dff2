"""Two runs beside each other: their calls in pairs, and what is another in each.

Calls are one pair if they are the same question in the same place: workflow, label, phase, prompt, options.
What is left is paired by workflow, label and phase, in the order in which it was asked; then the prompt or
the options are others. The rest is in one of the two only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flowcage.host.durable.history.forms import Withheld
from flowcage.host.resume.looking.calls import RunCall, costs_to_json
from flowcage.host.resume.looking.details import RunDetails
from flowcage.host.ui.api.listing import row
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, AgentRequest

_TEXT = 20_000  # characters of a text that is shown


class Pair(NamedTuple):
    """A call of each run; None where it is in the other only."""

    one: RunCall | None
    other: RunCall | None


def compare(one: RunDetails, other: RunDetails) -> dict[str, Any]:
    """Two runs."""
    pairs = pairs_of(one.calls, one.workflows, other.calls, other.workflows)
    rows = [_pair_json(each) for each in pairs]
    counts: defaultdict[str, int] = defaultdict(int)
    for each in rows:
        counts[each["is"]] += 1
    return {"one": _head(one), "other": _head(other), "counts": counts, "calls": rows}


def pairs_of(
    one: Sequence[RunCall], names: Mapping[str, str], other: Sequence[RunCall], other_names: Mapping[str, str]
) -> list[Pair]:
    """The calls in pairs, in the order of the first run; those of the other alone are behind.

    Args:
        one, other: calls in the order in which they were made.
        names, other_names: of the sources of their workflows, by path.
    """
    found: dict[str, RunCall] = {}
    left, right = list(one), list(other)
    for key in (_whole, _place_and_id, _place):
        right = _match(left, names, right, other_names, key, found)
        left = [each for each in left if each.id not in found]
    return [*(Pair(each, found.get(each.id)) for each in one), *(Pair(None, each) for each in right)]


_Key = Callable[[RunCall, Mapping[str, str]], Hashable]


def _match(
    left: Sequence[RunCall],
    names: Mapping[str, str],
    right: Sequence[RunCall],
    other_names: Mapping[str, str],
    key: _Key,
    found: dict[str, RunCall],
) -> list[RunCall]:
    """Put those of one key together, in their order. Those of `right` that are left."""
    by_key: defaultdict[Hashable, list[RunCall]] = defaultdict(list)
    for call in reversed(right):
        by_key[key(call, other_names)].append(call)
    for call in left:
        if same := by_key.get(key(call, names)):
            found[call.id] = same.pop()
    used = {each.id for each in found.values()}
    return [each for each in right if each.id not in used]


def _place(call: RunCall, names: Mapping[str, str]) -> Hashable:
    return call.kind, call.path.count("/"), names.get(call.path, ""), call.label, call.phase


def _place_and_id(call: RunCall, names: Mapping[str, str]) -> Hashable:
    return _place(call, names), call.id


def _whole(call: RunCall, names: Mapping[str, str]) -> Hashable:
    return _place(call, names), _prompt(call), _json(options_of(call))


def _prompt(call: RunCall) -> str:
    text = call.prompt
    return f"\0{text.digest}" if isinstance(text, Withheld) else text


def options_of(call: RunCall) -> Any:
    """What was asked beside the prompt."""
    if isinstance(call.request, AgentRequest):
        return {} if call.request.options is MISSING else call.request.options
    skipped = ("id", "question")
    fields = call.request._asdict()
    return {name: value for name, value in fields.items() if name not in skipped and value is not MISSING}


def _json(value: Any) -> str:
    return strictjson.dumps(value)


def _pair_json(pair: Pair) -> dict[str, Any]:
    one, other = pair
    if one is None or other is None:
        which = "one" if other is None else "other"
        return {"is": which, "changes": [], "one": _call_json(one), "other": _call_json(other)}
    changes = list(_changes(one, other))
    told = {"is": "changed" if changes else "same", "changes": changes}
    shows = bool(changes)
    return told | {"one": _call_json(one, texts=shows), "other": _call_json(other, texts=shows)}


def _changes(one: RunCall, other: RunCall) -> Iterable[str]:
    if _prompt(one) != _prompt(other):
        yield "prompt"
    if _json(options_of(one)) != _json(options_of(other)):
        yield "options"
    if one.state != other.state:
        yield "state"
    if _answer(one) != _answer(other):
        yield "answer"
    if one.model != other.model:
        yield "model"


def _answer(call: RunCall) -> str | None:
    return None if call.value is MISSING else _json(call.value)


def _call_json(call: RunCall | None, *, texts: bool = True) -> dict[str, Any] | None:
    if call is None:
        return None
    told: dict[str, Any] = {
        "id": call.id,
        "kind": call.kind,
        "label": call.label,
        "phase": call.phase,
        "state": call.state,
        "model": call.model,
        "attempts": len(call.attempts),
        "seconds": round(call.seconds, 6),
        "reused": call.reused,
        "error": call.error,
        **costs_to_json(call.costs),
    }
    if not texts:
        return told | {"prompt": call.prompt[:200]}
    value = (
        None if call.value is MISSING else call.value if isinstance(call.value, str) else _json(call.value)
    )
    return told | {"prompt": call.prompt[:_TEXT], "answer": value if value is None else value[:_TEXT]}


def _head(run: RunDetails) -> dict[str, Any]:
    total = [each for each in run.calls if each.kind == "agent"]
    seconds = (run.summary.updated_at - run.summary.created_at) / 1000
    return row(run.summary) | {
        "tokens": run.tokens,
        "costUsd": round(run.cost_usd, 9),
        "agents": len(total),
        "seconds": round(max(0.0, seconds), 3),
        "result": None if run.result is MISSING else _json(run.result)[:_TEXT],
        "error": run.error,
    }
