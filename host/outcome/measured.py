"""What the host measured of a child; `judge` compares it with what the child reports."""

from __future__ import annotations

from typing import NamedTuple

from flowcage.protocol.limits import Limits


class Ended(NamedTuple):
    """How a child ended, from wait4(2).

    Attributes:
        signal: name of the signal that ended the process, such as ``SIGKILL``; None where none did.
        exit_code: exit status; None where a signal ended the process, and both None where the status was
            lost.
        user_cpu_seconds, system_cpu_seconds: of the process and the children that it has reaped.
        peak_rss_bytes: VmHWM (proc(5)); 0 where it could not be read.
    """

    signal: str | None
    exit_code: int | None
    user_cpu_seconds: float
    system_cpu_seconds: float
    peak_rss_bytes: int

    @property
    def cpu_seconds(self) -> float:
        """User and system CPU together."""
        return round(self.user_cpu_seconds + self.system_cpu_seconds, 6)


class Span(NamedTuple):
    """The duration of a step: seconds on the host's clock, and seconds of the child's CPU."""

    wall: float = 0.0
    cpu: float = 0.0


class Measured(NamedTuple):
    """What the verdict depends on.

    Attributes:
        ended: wait status and CPU.
        limits: those that the host requested, not those that the child reported.
        step: the last step of the child.
    """

    ended: Ended
    limits: Limits
    step: Span
