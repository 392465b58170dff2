"""The clock that stops JavaScript: CPU of a step and of the whole run, and a bound on a step's wall clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, process_time

from flowcage.child.engine.errors import Interrupted
from flowcage.protocol.errors import TIMEOUT
from flowcage.protocol.limits import STEP_WALL_FACTOR


class Watchdog:
    """Asked by the engine about every 10,000 branches, and by the job loop between jobs.

    A step is charged the CPU of this process: how busy the machine is changes what the clock on the wall says
    of an honest step, but not that. The first limit that is reached is remembered: JavaScript can swallow the
    engine's interruption in a promise, but `check` raises it again after every job.

    Args:
        step_timeout_ms: CPU for one step; `STEP_WALL_FACTOR` times as much on the wall ends it, too.
        cpu_seconds: CPU, cumulative over all steps.
    """

    def __init__(self, step_timeout_ms: int, cpu_seconds: int) -> None:
        self._step_timeout_ms = step_timeout_ms
        self._cpu_seconds = cpu_seconds
        self._cpu_end = process_time() + cpu_seconds
        self._step_cpu_end = 0.0
        self._step_wall_end = 0.0
        self._next_reading_at: float | None = None  # between steps there is nothing to read
        self._tripped: Interrupted | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Watch what runs inside: waiting for the host costs a workflow nothing.

        What runs between two steps is our own code, which must not be cut short.
        """
        used, now = process_time(), monotonic()
        self._step_cpu_end = used + self._step_timeout_ms / 1000
        self._step_wall_end = now + STEP_WALL_FACTOR * self._step_timeout_ms / 1000
        self._next_reading_at = self._next_reading(used, now)
        try:
            yield
        finally:
            self._next_reading_at = None

    def expired(self) -> bool:
        """Whether JavaScript must stop now."""
        if self._next_reading_at is None:
            return False
        if self._tripped is None and (now := monotonic()) >= self._next_reading_at:
            used = process_time()
            self._tripped = self._limit_reached(used, now)
            self._next_reading_at = self._next_reading(used, now)
        return self._tripped is not None

    def check(self) -> None:
        """Raise `Interrupted` if a limit was ever reached."""
        if self.expired():
            assert self._tripped is not None
            raise self._tripped

    def _next_reading(self, used: float, now: float) -> float:
        # One thread cannot use more CPU than time passes, so before then no limit can be reached. The wall
        # clock is read without a system call; the process's CPU is not.
        return min(now + self._step_cpu_end - used, now + self._cpu_end - used, self._step_wall_end)

    def _limit_reached(self, used: float, now: float) -> Interrupted | None:
        limit = f"stepTimeoutMs ({self._step_timeout_ms} ms)"
        if used >= self._step_cpu_end:
            return Interrupted(TIMEOUT, f"a step ran longer than {limit}")
        if used >= self._cpu_end:
            return Interrupted(TIMEOUT, f"the run used more CPU than cpuSeconds ({self._cpu_seconds} s)")
        if now >= self._step_wall_end:
            return Interrupted(TIMEOUT, f"a step was not done after {STEP_WALL_FACTOR} times {limit}")
        return None
