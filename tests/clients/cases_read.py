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

_MATCHING = ("prompt", "attempt", "again", "ref", "profile", "question")


def all_cases() -> Iterator[tuple[str, Case]]:
    """Each case with its name, after that of its file."""
    for file in sorted(CASES.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8"))["cases"]:
            yield f"{file.stem}: {case['name']}", case


def rule_for(rules: list[Rule], **asked: Any) -> Rule:
    """The first rule that fits what is asked."""
    for rule in rules:
        if all(rule[name] == asked.get(name) for name in _MATCHING if name in rule):
            return rule
    raise AssertionError(f"no rule of the case answers {asked}")
