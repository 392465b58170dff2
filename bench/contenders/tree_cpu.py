"""The CPU of this process and of all below it, those that have ended included."""

from __future__ import annotations

import resource
import time
from typing import NamedTuple

import psutil

_CPUCLOCK_SCHED = 2  # the id that clock_getcpuclockid(3) computes


class Spent(NamedTuple):
    """Seconds of CPU, of this process with all its threads, and of those below it."""

    own: float
    below: float

    @property
    def all(self) -> float:
        """Of all together."""
        return self.own + self.below


def begin() -> Spent:
    """CPU until now; what it costs to find out comes before."""
    below = _below()
    return Spent(time.process_time(), below)


def since(begun: Spent) -> Spent:
    """CPU since then; what it costs to find out comes behind."""
    own = time.process_time()
    return Spent(own - begun.own, _below() - begun.below)


def _below() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            alive += time.clock_gettime((~process.pid << 3) | _CPUCLOCK_SCHED)
        except OSError:  # it ended just now
            continue
    return ended.ru_utime + ended.ru_stime + alive
