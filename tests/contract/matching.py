"""Whether what a child says is what a document expects of it."""

from __future__ import annotations

from typing import Any

# Stands for any one value; as a member's name, for any further members.
ANYTHING = "…"


def difference(expected: Any, actual: Any, path: str = "") -> str | None:
    """Where two JSON values differ, as a JSON Pointer and what was found there; None where they do not."""
    if expected == ANYTHING:
        return None
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _in_members(expected, actual, path)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return _first(difference(ours, theirs, f"{path}/{index}") for index, (ours, theirs) in pairs)
    if type(expected) is type(actual) and expected == actual:
        return None
    return f"{path or '/'}: {actual!r} instead of {expected!r}"


def _in_members(expected: dict[str, Any], actual: dict[str, Any], path: str) -> str | None:
    known = expected.keys() - {ANYTHING}
    if missing := known - actual.keys():
        return f"{path or '/'}: without {sorted(missing)}"
    if ANYTHING not in expected and (more := actual.keys() - known):
        return f"{path or '/'}: also {sorted(more)}"
    return _first(difference(expected[name], actual[name], f"{path}/{name}") for name in sorted(known))


def _first(found: Any) -> str | None:
    return next((text for text in found if text is not None), None)
