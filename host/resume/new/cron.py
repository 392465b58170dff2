"""Times of a schedule, in the words of cron, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from flowcage.host.durable.errors import StoreError

_WORDS, _MOST_CHARACTERS = 5, 200
_HOW = (
    "write minute, hour, day of the month, month and day of the week, such as '0 3 * * *' for each night at "
    "three (UTC)"
)


class NotScheduled(StoreError):
    """The words of cron are none, or what they need is not installed; the message says what to do."""


def next_after(cron: str, at: int) -> int:
    """The first of its times after this one; both in milliseconds since 1970. Raises `NotScheduled`."""
    return _step(cron, at, reverse=False)


def last_before(cron: str, at: int) -> int:
    """The last of its times that is no later than this one. Raises `NotScheduled`."""
    return _step(cron, at // 1000 * 1000 + 1000, reverse=True)


def as_text(at: int) -> str:
    """A time of a schedule, in UTC, to the second."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _step(cron: str, at: int, *, reverse: bool) -> int:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise NotScheduled(
            "schedules need a package that is missing (cronsim): pip install 'flowcage[workers]'"
        ) from None
    if len(cron) > _MOST_CHARACTERS or len(cron.split()) != _WORDS:  # a sixth word would be one of seconds
        raise NotScheduled(
            f"{cron!r:.100} is no schedule: it must have {_WORDS} words, in at most {_MOST_CHARACTERS} "
            f"characters; {_HOW}"
        )
    try:
        found = next(CronSim(cron, datetime.fromtimestamp(at / 1000, UTC), reverse=reverse))
    except (CronSimError, StopIteration) as error:
        raise NotScheduled(
            f"{cron!r:.100} is no schedule: {error or 'it has no such time'}; {_HOW}"
        ) from None
    return int(found.timestamp() * 1000)
