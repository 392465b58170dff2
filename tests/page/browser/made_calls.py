"""Calls of a made-up run: some retried, refused, reused, failed, or still at work."""

from __future__ import annotations

import random
from typing import Any

PARTS = ("security", "performance", "errors", "naming", "tests", "docs", "types", "concurrency")
MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "gpt-5.1-mini")
COSTS = (
    "tokens",
    "costUsd",
    "inputTokens",
    "outputTokens",
    "cacheReadTokens",
    "cacheWriteTokens",
    "unpriced",
)
_PROMPT = """\
You are a careful reader of code.

Task: {} of the folder src/.
Answer with what you are sure of and nothing else.
"""
_FINDING = {"file": "src/auth/token.ts", "line": 88, "certain": True}


def calls_of(count: int, chance: random.Random, state: str) -> list[dict[str, Any]]:
    if count == 0:
        return []
    middle = max(1, count - 2)
    readers = max(1, round(middle * 0.55)) if count > 2 else 0
    verifiers = max(0, middle - readers) if count > 2 else 0
    plan = _call("1", "Plan", "plan", 0.02, 0.03, 4.1, chance)
    made, slots = [plan], 4 if count < 50 else 24
    free = [4.4] * slots
    for index in range(readers):
        made.append(_queued(len(made) + 1, "Review", _label("review", index), 4.3, free, chance))
    begun = max(free) if free else 4.4
    free = [begun + 0.2] * slots
    for index in range(verifiers):
        made.append(_queued(len(made) + 1, "Verify", f"verify:F{index + 1}", begun + 0.1, free, chance))
    if count > 1:
        at = max(free) + 0.1
        made.append(
            _call(str(len(made) + 1), "Report", "report", at, at + 0.05, chance.uniform(3, 6), chance)
        )
    return made if state == "ended" else _until(made)


def _label(stem: str, index: int) -> str:
    part = PARTS[index % len(PARTS)]
    return f"{stem}:{part}" if index < len(PARTS) else f"{stem}:{part}-{index // len(PARTS) + 1}"


def _queued(
    number: int, phase: str, label: str, asked: float, free: list[float], chance: random.Random
) -> dict[str, Any]:
    slot = free.index(min(free))
    kind = chance.random()
    if kind < 0.09 and number > 3:
        return _reused(_call(str(number), phase, label, asked, asked, 0.0, chance))
    call = _call(str(number), phase, label, asked, free[slot], chance.uniform(1.5, 9), chance)
    if 0.09 <= kind < 0.22:
        _retry(call, chance)
    if 0.22 <= kind < 0.25 and number > 9:
        _fail(call)
    if 0.25 <= kind < 0.37 or label == "review:errors":
        _refuse(call)
    free[slot] = call["ended"] + 0.05
    return call


def _call(
    identifier: str, phase: str, label: str, asked: float, began: float, length: float, chance: random.Random,
) -> dict[str, Any]:  # fmt: skip
    read, written = chance.randint(800, 9000), chance.randint(80, 1400)
    model = MODELS[2] if phase == "Verify" else MODELS[chance.randint(0, 1)]
    cost = round((read * 3 + written * 15) / 1e6 * (0.2 if phase == "Verify" else 1), 6)
    return {
        "id": identifier,
        "path": "",
        "kind": "agent",
        "label": label,
        "phase": phase,
        "model": model,
        "prompt": _PROMPT.format(label),
        "options": {"label": label, "schema": {"type": "object", "required": ["findings"]}},
        "state": "answered",
        "asked": round(asked, 3),
        "began": round(began, 3),
        "ended": round(began + length, 3),
        "attempts": [_attempt(1, began, began + length, read + written, cost)],
        "value": {"findings": [_FINDING | {"claim": f"seen by {label}"}]},
        "error": None,
        "tokens": read + written,
        "costUsd": cost,
        "inputTokens": read,
        "outputTokens": written,
        "cacheReadTokens": read // 2,
        "cacheWriteTokens": 0,
        "unpriced": 0,
        "sessionId": None,
        "worktree": None,
        "reused": False,
        "reusedFrom": None,
        "line": None,
        "column": None,
    }  # fmt: skip


def _attempt(number: int, began: float, ended: float | None, tokens: int, cost: float) -> dict[str, Any]:
    times = {"began": round(began, 3), "ended": None if ended is None else round(ended, 3), "lives": 1}
    told: dict[str, Any] = {"error": None, "tokens": tokens, "costUsd": cost, "refused": []}
    return {"number": number} | times | told


def _reused(call: dict[str, Any]) -> dict[str, Any]:
    told = {"reused": True, "reusedFrom": ["01KB5PZZ", "3"], "attempts": []}
    return call | dict.fromkeys(COSTS, 0) | told | {"began": None, "ended": call["asked"]}


def _retry(call: dict[str, Any], chance: random.Random) -> None:
    first = call["attempts"][0]
    first["error"] = "529 overloaded_error: the model is overloaded; asked again in 0.8 s"
    began = first["ended"] + 0.8
    ended = began + chance.uniform(1, 5)
    call["attempts"].append(_attempt(2, began, ended, first["tokens"], first["costUsd"]))
    call["ended"] = round(ended, 3)


def _fail(call: dict[str, Any]) -> None:
    call["state"] = "failed"
    call["error"] = call["attempts"][-1]["error"] = "exit status 1: the program wrote no answer"
    del call["value"]


def _refuse(call: dict[str, Any]) -> None:
    call["attempts"][-1]["refused"] = [
        {
            "text": '{"findings": [{"file": "src/auth/token.ts", "line": "88", "claim": "a guess"}]}',
            "problem": 'findings[0].line: "88" is not of type "integer"',
        }
    ]


def _until(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls as they were when two thirds of the time had passed."""
    now = max(call["ended"] for call in made) * 0.66
    seen = [call for call in made if call["asked"] <= now]
    for call in seen:
        if call["ended"] <= now:
            continue
        call.pop("value", None)
        call["ended"], call["error"] = None, None
        call["attempts"] = [
            each | {"ended": None} if each["ended"] > now else each
            for each in call["attempts"]
            if each["began"] <= now
        ]
        call["state"] = "open" if call["attempts"] else "queued"
        if not call["attempts"]:
            call["began"], call["model"] = None, None
            call.update(dict.fromkeys(COSTS, 0))
    return seen
