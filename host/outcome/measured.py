"""What the host measured of a child: `process` measures, `judge` compares it with what the child says."""

from __future__ import annotations

from typing import NamedTuple

from flowcage.protocol.limits import Limits


class Ended(NamedTuple):
    """How a child ended. Times in seconds from wait4(2); memory in bytes, 0 where it is not known."""

    signal: str | None
    exit_code: int | None
    user_cpu_seconds: float
    system_cpu_seconds: float
    peak_rss_bytes: int

    @property
    def cpu_seconds(self) -> float:
        """All that it used."""
        return round(self.user_cpu_seconds + self.system_cpu_seconds, 6)


class Span(NamedTuple):
    """What a step took: seconds on the host's clock, and seconds of the child's CPU."""

    wall: float = 0.0
    cpu: float = 0.0


class Measured(NamedTuple):
    """All that the verdict rests on.

    Attributes:
        ended: wait status and CPU, from wait4(2).
        limits: as the host asked for them.
        step: what the child took over its last step.
    """

    ended: Ended
    limits: Limits
    step: Span
