"""A rate per minute, kept in two numbers."""

from __future__ import annotations

# Seconds that rounding may take: without them a caller that waited exactly as long as it was told to would be
# refused once more.
_ROUNDING = 1e-6


class TokenBucket:
    """Holds up to a minute's worth and fills evenly; it may be overdrawn.

    A bucket rather than a window of timestamps: it costs two numbers whatever the rate, tells exactly when to
    retry, and does not open all at once at a window's edge. Its price is that a minute that begins with a
    full bucket can see up to twice the rate.

    Args:
        per_minute: what flows in in a minute, and what it holds at most.
        now: seconds, on any clock that never goes back; likewise below.
    """

    __slots__ = ("_at", "_level", "per_minute")

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = now

    def take(self, amount: float, now: float) -> None:
        """Take that much out, even where it is not there; a negative amount puts it back."""
        grown = min(self._level + (now - self._at) * self.per_minute / 60, self.per_minute)
        self._level = grown - amount
        self._at = now

    def ready_at(self, amount: float) -> float:
        """When it holds, or held, that much, if nothing more is taken."""
        return self._at + (amount - self._level) * 60 / self.per_minute

    def holds(self, amount: float, now: float) -> bool:
        """Whether that much is there."""
        return self.ready_at(amount) <= now + _ROUNDING
