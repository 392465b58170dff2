"""A run as a coding agent is told of it: short, with where the rest is."""

from __future__ import annotations

from typing import Any

from flowcage.host.terminal.text import cut
from flowcage.protocol import strictjson

# Characters of one answer: some 10,000 tokens of whoever reads it.
MOST = 40_000
_RESULT, _TEXT, _LOG = 12_000, 300, 300
_CALLS, _LOGS, _QUESTIONS = 60, 20, 10
_DESCRIPTION = 500
_HEAD = (
    "id", "name", "sourceName", "state", "verdict", "error", "createdAt", "endedAt", "seconds", "forkedFrom",
    "wakeAt", "cancel", "usage", "census",
)  # fmt: skip
_CALL = ("id", "kind", "label", "phase", "state", "model", "tokens", "seconds", "reused")


def address(run_id: str, part: str = "") -> str:
    """The resource of a run."""
    return f"flowcage://runs/{run_id}{part}"


def told(document: dict[str, Any], questions: list[dict[str, Any]]) -> dict[str, Any]:
    """A run.

    Args:
        document: of its page.
        questions: that wait for a person.
    """
    run = document["run"]
    calls = sorted(document["calls"], key=_is_good)[:_CALLS]  # those with trouble first
    logs = document["logs"][-_LOGS:]
    more = {"calls": len(document["calls"]) - len(calls), "logs": len(document["logs"]) - len(logs)}
    return {
        "run": {name: _short(run[name]) for name in _HEAD if run.get(name) is not None},
        **({"result": _bounded(run["result"], _RESULT)} if "result" in run else {}),
        "phases": document["totals"]["byPhase"][:_CALLS],
        "calls": [_call(each) for each in calls],
        "logs": [cut(each["text"], _LOG) for each in logs],
        "questions": [_bounded(each, 2_000) for each in questions[:_QUESTIONS]],
        "leftOut": {name: count for name, count in more.items() if count},
        "rest": {
            "report": address(run["id"], "/report"),
            "document": address(run["id"]),
            "result": address(run["id"], "/result"),
            "oneCall": "tool get with call",
        },
    }


def names(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What ``flowcage workflows`` lists, whose descriptions are the shorter the more there are."""
    most = min(_DESCRIPTION, MOST // 2 // max(1, len(found)))
    return [
        {name: cut(value, most) if name == "description" else value for name, value in each.items() if value}
        for each in found
    ]


def _is_good(call: dict[str, Any]) -> bool:
    return call["state"] not in ("failed", "refused", "open")


def _call(call: dict[str, Any]) -> dict[str, Any]:
    shown = {name: _short(call[name]) for name in _CALL if call.get(name)}
    texts = {"prompt": call["prompt"], "error": call["error"], "answer": call.get("value")}
    return shown | {name: _bounded(value, _TEXT) for name, value in texts.items() if value}


def _short(value: Any) -> Any:
    return _bounded(value, 2_000)


def _bounded(value: Any, most: int) -> Any:
    """A value, or the beginning of its text."""
    text = value if isinstance(value, str) else strictjson.dumps(value)
    return value if len(text) <= most else cut(text, most)


def text_of(value: Any, rest: str) -> str:
    """The text of an answer; one that is too long is cut, and says where the rest is.

    Args:
        value: JSON.
        rest: where that is.
    """
    text = strictjson.dumps(value)
    if len(text) <= MOST:
        return text
    return f"{cut(text, MOST)}\n[cut: {len(text):,} characters in all; {rest}]"
