"""What somebody may have meant who typed a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 3
# Of 1; with less, cpuSecond would also have meant timeoutSeconds.
LEAST_LIKENESS = 0.7


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` with the names that look like it; empty where none does."""
    from difflib import get_close_matches  # few programs come here

    # By their lower case: a name in the wrong case is the nearest of all.
    spelled = {each.lower(): each for each in known}
    near = [spelled[each] for each in get_close_matches(name.lower(), spelled, MOST, LEAST_LIKENESS)]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
