"""What a step of the child took, as the host measures it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import trio

from flowcage.host.outcome.measured import Span


class Reading(NamedTuple):
    """Both clocks at one moment; `cpu` is None where it cannot be read."""

    wall: float
    cpu: float | None


class StepClock:
    """Times steps. A step goes from a write to the reply that tells how it ended.

    A reply that says `more` does not: what it hands out came before a failure, and only the next reply tells
    of that one. Both belong to one step; what the host does in between does not.

    Args:
        cpu_seconds: reads what the child has used in all; None where nobody can tell.

    Attributes:
        last: what the last step took, as far as `answered` was told.
    """

    def __init__(self, cpu_seconds: Callable[[], float | None]) -> None:
        self._cpu_seconds = cpu_seconds
        self._began = Reading(0.0, None)
        self._goes_on = False
        self.last = Span()

    def sent(self) -> None:
        """Something was written to the child: a step begins, or goes on after `more`."""
        if not self._goes_on:
            self.last = Span()
        self._began = self.read()

    def answered(self, *, more: bool) -> None:
        """Take the time of a reply."""
        passed = self.since(self._began)
        self.last = Span(self.last.wall + passed.wall, self.last.cpu + passed.cpu)
        self._goes_on = more

    def read(self) -> Reading:
        """Both clocks now."""
        return Reading(trio.current_time(), self._cpu_seconds())

    def since(self, began: Reading) -> Span:
        """What has passed since a reading; CPU that cannot be read counts as all that one thread can use."""
        now = self.read()
        wall = now.wall - began.wall
        return Span(wall, wall if now.cpu is None or began.cpu is None else now.cpu - began.cpu)
