"""What a run and all of its child workflows may use together: CPU, output, and child workflows themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flowcage.host.outcome.errors import CpuExceeded, OutputExceeded, RequestRejected, RunError
from flowcage.protocol.limits import MIB, Limits

# Asks the processes that run; one that says nothing more of itself is a second late at most.
_LONGEST_PAUSE_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.1


class Allowance:
    """One per top-level run, charged for every process of it.

    What is used up ends the whole run: a workflow that catches the error of its child workflow must not go on
    with another one. So `require` is asked whenever a child has said something, and while nothing is said.

    Args:
        cpu_seconds: of all processes.
        received_bytes: said by all children.
        children: child workflows, whatever became of them.

    Attributes:
        cpu_seconds: used by what has ended.
    """

    def __init__(
        self,
        cpu_seconds: float = Limits().cpu_seconds,
        received_bytes: float = 1024 * MIB,
        children: int = 1000,
    ) -> None:
        self._max_cpu_seconds = cpu_seconds
        self._max_received_bytes = received_bytes
        self._max_children = children
        self._received_bytes = 0
        self._children = 0
        self._running: dict[object, Callable[[], float | None]] = {}
        self._over: tuple[type[RunError], str] | None = None
        self.cpu_seconds = 0.0

    @property
    def used_cpu_seconds(self) -> float:
        """By now, what still runs included."""
        return self.cpu_seconds + sum(read() or 0.0 for read in self._running.values())

    @property
    def left_cpu_seconds(self) -> int:
        """What a further process may be given: whole seconds, and one at least. The sum is watched beside."""
        return max(1, math.ceil(self._max_cpu_seconds - self.used_cpu_seconds))

    @contextmanager
    def process(self, cpu_seconds: Callable[[], float | None]) -> Iterator[None]:
        """Charge a process while the block lasts; leave it when the process has ended.

        Args:
            cpu_seconds: reads what it has used, also then.
        """
        key = object()
        self._running[key] = cpu_seconds
        try:
            yield
        finally:
            del self._running[key]
            self.charge_cpu(cpu_seconds() or 0.0)

    def charge_cpu(self, seconds: float) -> None:
        """Charge what a process used that has ended."""
        self.cpu_seconds += seconds

    def receive(self, count: int) -> None:
        """Charge bytes that a child said.

        Raises:
            OutputExceeded: they are more than all may say.
        """
        self._received_bytes += count
        self.require()

    def admit_child(self) -> None:
        """Count one more child workflow.

        Raises:
            RequestRejected: there may be no more.
        """
        if self._children >= self._max_children:
            raise RequestRejected(
                f"workflow() is refused: this run has started all {self._max_children} child workflows that "
                "the limit maxTotalChildren allows"
            )
        self._children += 1

    def require(self) -> None:
        """Raise `CpuExceeded` or `OutputExceeded` where that is used up, now or ever before."""
        self._over = self._over or self._why_over()
        if self._over is not None:
            error, message = self._over
            raise error(message)

    def pause_seconds(self) -> float:
        """How long nothing need be looked at: one thread uses no more CPU than time passes."""
        left = self._max_cpu_seconds - self.used_cpu_seconds
        pause = left / max(1, len(self._running))
        return min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, pause))

    def _why_over(self) -> tuple[type[RunError], str] | None:
        if self._received_bytes > self._max_received_bytes:
            return OutputExceeded, (
                f"the run, its child workflows included, said more than {self._max_received_bytes} bytes, "
                "the limit maxReceivedBytes"
            )
        # One process alone is ended by the kernel, or ends its workflow itself and can tell where it was.
        is_shared = self.cpu_seconds > 0 or len(self._running) > 1
        if is_shared and self.used_cpu_seconds >= self._max_cpu_seconds:
            return CpuExceeded, (
                f"the run, its child workflows included, used {self._max_cpu_seconds:g} s of CPU, "
                "the limit cpuSeconds"
            )
        return None
