"""Suggestions for a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

# Names in one suggestion.
MOST = 3
# difflib's ratio, from 0 to 1. With less, timeoutSeconds would be suggested for cpuSecond.
LEAST_LIKENESS = 0.7


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` with the names that are most like this one; empty if none is."""
    from difflib import get_close_matches  # here, because most programs need no suggestion

    # Compared in lower case, so that a name in the wrong case is the nearest.
    spelled = {each.lower(): each for each in known}
    near = [spelled[each] for each in get_close_matches(name.lower(), spelled, MOST, LEAST_LIKENESS)]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
