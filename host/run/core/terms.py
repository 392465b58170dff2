"""Options of an ``agent()`` call: its attempts, backoff and timeout, and those that are text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flowcage.host.run.core.sessions import Sessions
from flowcage.protocol.messages import Json

MAX_ATTEMPTS = 10


@dataclass(frozen=True)
class Terms:
    """The terms of one ``agent()`` call.

    Attributes:
        max_attempts: the first one included.
        backoff_ms: wait before the second attempt; twice that before the third, and so on.
        timeout_ms: of one attempt.
        max_wait_ms: the longest backoff.
        session: that the agent goes on with.
    """

    max_attempts: int = 1
    backoff_ms: float = 0.0
    timeout_ms: float = math.inf
    max_wait_ms: float = math.inf
    session: str | None = None

    def backoff_seconds(self, attempt: int) -> float:
        """Seconds between an attempt, counted from 1, and the next one."""
        return min(self.backoff_ms * 2.0 ** (attempt - 1), self.max_wait_ms) / 1000


NO_TERMS = Terms()


def terms_of(options: Mapping[str, Json], max_wait_ms: int, sessions: Sessions | None = None) -> Terms:
    """Read the terms from a call's options; a member that is absent or null has its default.

    Args:
        options: of the ``agent()`` call, unchecked.
        max_wait_ms: the longest backoff and timeout, the run's limit ``maxSleepMs``.
        sessions: of the run, where it has any.

    Raises:
        ValueError: a member has a value that it cannot have; the message names it.
    """
    retry = options.get("retry")
    if retry is None:
        retry = {}
    if not isinstance(retry, dict):
        raise ValueError("options.retry must be an object, such as {maxAttempts: 3, backoffMs: 1000}")
    if unknown := [name for name in retry if name not in ("maxAttempts", "backoffMs")]:
        raise ValueError(
            f"options.retry has no member {unknown[0][:40]!r}; it may have maxAttempts and backoffMs"
        )
    attempts = _number(retry, "maxAttempts", "options.retry.", 1, MAX_ATTEMPTS, default=1)
    if attempts != int(attempts):
        raise ValueError(f"options.retry.maxAttempts must be a whole number, not {attempts}")
    backoff = _number(retry, "backoffMs", "options.retry.", 0, max_wait_ms, default=0)
    timeout = _number(options, "timeoutMs", "options.", 1, max_wait_ms, default=math.inf)
    session = None if sessions is None else sessions.of(options)
    return Terms(int(attempts), backoff, timeout, max_wait_ms, session)


def _number(
    members: Mapping[str, Json], name: str, where: str, least: int, most: int, *, default: float
) -> float:
    value = members.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        shown = repr(value) if isinstance(value, int | float) else f"a {type(value).__name__}"
        raise ValueError(f"{where}{name} must be a number from {least} to {most}, not {shown[:40]}")
    return value


def text_of(options: Mapping[str, Json], name: str) -> str | None:
    """An option that is text; None for any other."""
    value = options.get(name)
    return value if isinstance(value, str) else None
