"""What a round of a contender takes."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

MS = 1000


class Clock:
    """Milliseconds on the wall, of the host's CPU and of its children's, of each round."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.host: list[float] = []
        self.children: list[float] = []

    @contextmanager
    def round(self) -> Iterator[None]:
        """Measure the block."""
        began, own, theirs = time.perf_counter(), time.process_time(), _cpu_of_children()
        yield
        self.wall.append(MS * (time.perf_counter() - began))
        self.host.append(MS * (time.process_time() - own))
        self.children.append(MS * (_cpu_of_children() - theirs))

    def cells(self, calls: int) -> list[str]:
        """The median on the wall, and the CPU of a call."""
        cpu = median(self.host) + median(self.children)
        return [f"{median(self.wall):,.1f}", f"{1000 * cpu / max(1, calls):.0f}"]


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
