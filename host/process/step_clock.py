"""The time that a step of the child took, as the host measures it.

A timeout that a child reports counts only where these clocks agree (`outcome.judge`), and a child that
reports none is killed by them (`Channel`). So both are measured in the host, around the wire.

CPU is the measure, because it does not depend on how busy the machine is; the wall clock is the bound for a
child that is stopped or sleeps.

Invariants:

- `sent` is called before the bytes are written, `answered` after the reply was parsed. The span is therefore
  never shorter than the step was for the child, and a true timeout is always confirmed.
- A step that fails may come in two replies: one with `more`, which hands out what was queued before the
  failure, and the failure. They are one step. Its span is the sum of both parts, without what the host does
  in between.
- Without a CPU clock (None) the wall clock stands in for it, since one thread cannot use more CPU than time
  passes. That errs against the child.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import trio

from flowcage.host.outcome.measured import Span

NO_SPAN = Span()


class Reading(NamedTuple):
    """Both clocks at one moment; `cpu` is None where it cannot be read."""

    wall: float
    cpu: float | None


class StepClock:
    """Times steps; each goes from a write to the reply that tells how the step ended.

    Args:
        cpu_seconds: reads the CPU that the child has used in all; None where there is no such clock.

    Attributes:
        last: what the last step took, up to the last call of `answered`.
    """

    def __init__(self, cpu_seconds: Callable[[], float | None]) -> None:
        self._cpu_seconds = cpu_seconds
        self._began = Reading(0.0, None)
        self._goes_on = False
        self.last = NO_SPAN

    def sent(self) -> None:
        """Begin a step, or go on with one after `more`; call it before writing."""
        if not self._goes_on:
            self.last = NO_SPAN
        self._began = self.read()

    def answered(self, *, more: bool) -> None:
        """Add the time until a reply.

        Args:
            more: the reply announces that the failure of the same step is still to come.
        """
        passed = self.since(self._began)
        self.last = Span(self.last.wall + passed.wall, self.last.cpu + passed.cpu)
        self._goes_on = more

    def read(self) -> Reading:
        """Both clocks now."""
        return Reading(trio.current_time(), self._cpu_seconds())

    def since(self, began: Reading) -> Span:
        """What has passed since a reading; without a CPU clock, CPU equals the wall clock."""
        now = self.read()
        wall = now.wall - began.wall
        return Span(wall, wall if now.cpu is None or began.cpu is None else now.cpu - began.cpu)
