"""A token bucket: a rate per minute, in two numbers."""

from __future__ import annotations

# Seconds of tolerance. Without it, rounding would refuse a caller that has waited exactly as long as it was
# told.
_ROUNDING = 1e-6


class TokenBucket:
    """Holds up to a minute's worth and fills evenly; it may be overdrawn.

    A bucket rather than a window of timestamps: it has two numbers whatever the rate, gives the exact time of
    a retry, and does not admit everybody at once at a window's edge. Its price: a minute that begins with a
    full bucket can admit up to twice the rate.

    Args:
        per_minute: what flows in within a minute, and the most that the bucket holds.
        now: seconds, on any clock that never goes back; likewise below.
    """

    __slots__ = ("_at", "_level", "per_minute")

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = now

    def take(self, amount: float, now: float) -> None:
        """Take an amount out, below zero if need be; a negative amount is put back."""
        grown = min(self._level + (now - self._at) * self.per_minute / 60, self.per_minute)
        self._level = grown - amount
        self._at = now

    def ready_at(self, amount: float) -> float:
        """The time from which the bucket holds an amount, if nothing more is taken; it may have passed."""
        return self._at + (amount - self._level) * 60 / self.per_minute

    def holds(self, amount: float, now: float) -> bool:
        """Whether the bucket holds an amount."""
        return self.ready_at(amount) <= now + _ROUNDING
