"""Times and lengths of time as a person writes and reads them."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import click

# The longest first, as in 1h30m: 30m1h is a slip rather than a length.
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_LENGTH = re.compile("".join(rf"(?:([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?){unit}(?![a-z]))?" for unit in _UNITS))
_MOST_SECONDS = 100 * 365 * 86_400


def seconds_of(text: str) -> float | None:
    """Seconds of a length such as 90s, 2h, 1h30m or 30d; None for another text."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    amounts = zip(found.groups(), _UNITS.values(), strict=True)
    return round(sum(float(amount) * unit for amount, unit in amounts if amount), 6)


def in_unit_of(name: str, text: str) -> str:
    """A length of time as the number that a limit of this name takes; any other text as it is."""
    scale = 1000 if name.lower().endswith("ms") else 1 if name.lower().endswith("seconds") else None
    seconds = None if scale is None else seconds_of(text)
    return (
        text
        if scale is None or seconds is None
        else f"{round(seconds * scale, 6):.6f}".rstrip("0").rstrip(".")
    )


class Length(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """An option that is a length of time, in seconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse what is none, and what is longer than a century."""
        seconds = value if isinstance(value, float) else seconds_of(value)
        if seconds is None or seconds > _MOST_SECONDS:
            self.fail(
                f"{value!r} is no length of time; write numbers with s, m, h, d or w: 90s, 1h30m, 30d",
                param,
                ctx,
            )
        return seconds


class _Moment(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """A date, or a length of time from now, in milliseconds since 1970."""

    name = "time"
    direction: int
    how: str

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Refuse what is neither."""
        if isinstance(value, int):
            return value
        seconds = seconds_of(value)
        if seconds is not None and seconds <= _MOST_SECONDS:
            return int((time.time() + self.direction * seconds) * 1000)
        try:
            return int(datetime.fromisoformat(value).timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{value!r} is no time; write how long {self.how}, 2h or 30d, or a date, 2026-11-28T09:30",
                param,
                ctx,
            )


class Since(_Moment):
    """An option that is a time, in milliseconds since 1970: a date, or how long ago it was."""

    direction, how = -1, "ago"


class Until(_Moment):
    """An option that is a time to come, in milliseconds since 1970: a date, or how long from now."""

    direction, how = 1, "from now"


def told(milliseconds: int) -> str:
    """A time on this machine's clock; a store may hold any number."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "?" * 19


def length(seconds: float) -> str:
    """A length of time in at most seven characters."""
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 48 else f"{hours // 24}d{hours % 24:02}h"
