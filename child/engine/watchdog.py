"""The clock that stops JavaScript: a wall-clock deadline per step and CPU over the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, process_time

from flowcage.child.engine.errors import Interrupted
from flowcage.protocol.errors import TIMEOUT


class Watchdog:
    """Asked by the engine about every 10,000 branches, and by the job loop between jobs.

    The first limit that is reached is remembered: JavaScript can swallow the engine's interruption in a
    promise, but `check` raises it again after every job.

    Args:
        step_timeout_ms: wall clock for one step.
        cpu_seconds: CPU of this process, cumulative over all steps.
    """

    def __init__(self, step_timeout_ms: int, cpu_seconds: int) -> None:
        self._step_timeout_ms = step_timeout_ms
        self._cpu_seconds = cpu_seconds
        self._deadline: float | None = None
        self._cpu_end = process_time() + cpu_seconds
        self._tripped: Interrupted | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Watch what runs inside: waiting for the host costs a workflow nothing.

        What runs between two steps is our own code, which must not be cut short.
        """
        self._deadline = monotonic() + self._step_timeout_ms / 1000
        try:
            yield
        finally:
            self._deadline = None

    def expired(self) -> bool:
        """Whether JavaScript must stop now."""
        if self._deadline is None:
            return False
        if self._tripped is None:
            if monotonic() >= self._deadline:
                self._tripped = Interrupted(
                    TIMEOUT, f"a step ran longer than stepTimeoutMs ({self._step_timeout_ms} ms)"
                )
            elif process_time() >= self._cpu_end:
                self._tripped = Interrupted(
                    TIMEOUT, f"the run used more CPU than cpuSeconds ({self._cpu_seconds} s)"
                )
        return self._tripped is not None

    def check(self) -> None:
        """Raise `Interrupted` if a limit was ever reached."""
        if self.expired():
            assert self._tripped is not None
            raise self._tripped
