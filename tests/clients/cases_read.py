"""The cases that drivers in every language go through, as they are read from their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

CASES = Path(__file__).parent / "cases"
# As in cases/README.md.
Case: TypeAlias = dict[str, Any]
Rule: TypeAlias = dict[str, Any]

# What a case, a rule and an expectation may have: anything else would be looked at by nobody.
_ENDS = {"expect", "agent", "workflow", "sandboxExec", "ask", "answers"}
_CASE = _ENDS | {"name", "source", "args", "sourceName", "metadata", "limits", "options", "store", "resume"}
_RESUME = _ENDS | {"evenIfCancelled"}
_RULE = {
    *("prompt", "attempt", "again", "held", "ref", "profile", "question"),
    *("value", "usage", "costUsd", "model", "sessionId"),
    *("source", "sourceName", "modules", "fails", "rejects", "never", "cancels", "progress", "whenAtWork"),
}
_FAILS = {"kind", "message", "text", "needsUsd", "needsTokens"}
_PROGRESS = {"text", "usage", "costUsd", "model", "sessionId"}
_USAGE = {"input", "output", "cacheRead", "cacheWrite"}
_ANSWER = {"questionId", "value", "rejects"}
_EXPECT = {
    *("refused", "verdict", "result", "error", "census", "usage", "phases", "diagnostics"),
    *("asked", "problem", "cancelled", "mostAtWork", "events"),
}

_MATCHING = ("prompt", "attempt", "again", "held", "ref", "profile", "question")


def all_cases() -> Iterator[tuple[str, Case]]:
    """Each case with its name, after that of its file."""
    for file in sorted(CASES.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8"))["cases"]:
            require_known(case)
            yield f"{file.stem}: {case['name']}", case


def require_known(case: Case, members: set[str] = _CASE) -> None:
    """Refuse a case that has what this driver does not look at."""
    _require(case, members)
    _require(case["expect"], _EXPECT)
    for answer in case.get("answers", []):
        _require(answer, _ANSWER)
    for kind in ("agent", "workflow", "sandboxExec", "ask"):
        for rule in case.get(kind, []):
            _require_known_rule(rule)
    if "resume" in case:
        require_known(case["resume"], _RESUME)


def _require_known_rule(rule: Rule) -> None:
    _require(rule, _RULE)
    _require(rule.get("fails", {}), _FAILS)
    for spent in (rule, *rule.get("progress", [])):
        _require(spent.get("usage", {}), _USAGE)
    for told in rule.get("progress", []):
        _require(told, _PROGRESS)


def _require(given: dict[str, Any], members: set[str]) -> None:
    unknown = sorted(set(given) - members)
    assert not unknown, f"a case has {unknown}, which this driver does not know"


def rule_for(rules: list[Rule], **asked: Any) -> Rule:
    """The first rule that fits what is asked."""
    for rule in rules:
        if all(rule[name] == asked.get(name) for name in _MATCHING if name in rule):
            return rule
    raise AssertionError(f"no rule of the case answers {asked}")
