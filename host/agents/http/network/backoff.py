"""When a request is sent once more, and after how long."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

FIRST_S = 0.5
LONGEST_S = 30.0
# Request timeout; conflict, by which the providers mean a lock; rate limit.
_PASSING = frozenset({408, 409, 429})


def may_pass(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the same request can succeed later. Both providers may say so by ``x-should-retry``."""
    told = headers.get("x-should-retry", "").lower()
    if told in ("true", "false"):
        return told == "true"
    return status in _PASSING or status >= 500


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait: by milliseconds, seconds, or a date; None for nothing readable.

    Args:
        headers: by name in lower case.
        now: seconds since the epoch.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, ""))
        if seconds is not None:
            return max(0.0, seconds * unit)
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def pause(failures: int, asked_s: float | None, chance: Callable[[], float]) -> float:
    """Seconds before the next request.

    Args:
        failures: how many requests have failed, 1 or more.
        asked_s: what the server asks for. It is never gone below, and those who were turned away together
            come back apart.
        chance: a number from 0 to 1.
    """
    if asked_s is not None:
        return asked_s + chance() * min(1.0, asked_s / 10)
    grown = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 10))
    return grown * (0.5 + chance() / 2)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
