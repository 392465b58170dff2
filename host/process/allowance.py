"""What a run and all of its child workflows may use together: CPU and output."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from flowcage.host.outcome.errors import CpuExceeded, OutputExceeded, RunError
from flowcage.host.process.block import Block
from flowcage.protocol.limits import MIB, Limits

# Bounds of `pause_seconds`. The longer one is how late a sum that has grown without a reply may be noticed
# when a process starts within the pause; the shorter one keeps a nearly used-up allowance from a busy loop.
_LONGEST_PAUSE_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.1
# What a single process may use beyond its limit until the host ends it: as much as the kernel gives, which
# counts whole seconds. Within them the process ends its workflow itself, and can report a stack.
_ALONE_SECONDS = 1.0


class Allowance:
    """One per top-level run, charged for every process of it.

    Args:
        cpu_seconds: of all processes.
        received_bytes: said by all children.

    Attributes:
        cpu_seconds: used by the processes that have ended.
        earlier_cpu_seconds: of earlier lives of the run, in other hosts.
        replayed_cpu_seconds: used in this one to repeat those.
        told_cpu_seconds: what is written of this one; replays are not.
    """

    def __init__(
        self,
        cpu_seconds: float = Limits().cpu_seconds,
        received_bytes: float = 1024 * MIB,
    ) -> None:
        self._max_cpu_seconds = cpu_seconds
        self._max_received_bytes = received_bytes
        self._received_bytes = 0
        self._running: dict[object, Callable[[], float | None]] = {}
        self._holds_alone = False
        self._over: tuple[type[RunError], str] | None = None
        self.cpu_seconds = 0.0
        self.earlier_cpu_seconds = self.replayed_cpu_seconds = self.told_cpu_seconds = 0.0

    @property
    def used_cpu_seconds(self) -> float:
        """User and system CPU until now, of processes that run and that have ended."""
        return self.cpu_seconds + sum(read() or 0.0 for read in self._running.values())

    @property
    def untold_cpu_seconds(self) -> float:
        """What is to be written of this life."""
        return self.used_cpu_seconds - self.replayed_cpu_seconds - self.told_cpu_seconds

    @property
    def _of_all_lives(self) -> float:
        return self.used_cpu_seconds + self.earlier_cpu_seconds - self.replayed_cpu_seconds

    @property
    def left_cpu_seconds(self) -> int:
        """What a further process may be given: whole seconds, RLIMIT_CPU's unit, and at least 1."""
        return max(1, math.ceil(self._max_cpu_seconds - self._of_all_lives))

    def process(self, cpu_seconds: Callable[[], float | None]) -> Block[None]:
        """Charge a process while the block lasts; leave the block when the process has ended.

        Args:
            cpu_seconds: reads what the process has used, also after its end; None counts as 0.
        """
        key = object()
        return Block(partial(self._running.__setitem__, key, cpu_seconds), partial(self._end, key))

    def _end(self, key: object) -> None:
        self.charge_cpu(self._running.pop(key)() or 0.0)

    def repeated(self, cpu_seconds: float, received_bytes: int = 0) -> None:
        """Count for nothing what a process has used and said to repeat another one."""
        self.replayed_cpu_seconds += cpu_seconds
        self._received_bytes -= received_bytes

    def charge_cpu(self, seconds: float) -> None:
        """Charge the CPU of a process that has ended and had no `process` block."""
        self.cpu_seconds += seconds

    def hold_alone(self) -> None:
        """Hold a single process to the CPU, too: the limit that the kernel holds it to is a higher one."""
        self._holds_alone = True

    def receive(self, count: int) -> None:
        """Charge bytes that a child has sent.

        Raises:
            OutputExceeded, CpuExceeded: as `require`.
        """
        self._received_bytes += count
        if self._over is None and self._received_bytes <= self._max_received_bytes and self._is_held_alone:
            return  # nearly always
        self.require()

    def require(self) -> None:
        """Raise `CpuExceeded` or `OutputExceeded` if one is used up, or has been before."""
        self._over = self._over or self._why_over()
        if self._over is not None:
            error, message = self._over
            raise error(message)

    def pause_seconds(self) -> float:
        """How long `require` need not be asked: a caged child has one thread, which uses at most the time."""
        left = self._max_cpu_seconds - self._of_all_lives
        pause = left / max(1, len(self._running))
        return min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, pause))

    def _why_over(self) -> tuple[type[RunError], str] | None:
        if self._received_bytes > self._max_received_bytes:
            return OutputExceeded, (
                f"the run, its child workflows included, sent more than {self._max_received_bytes} bytes, "
                "the limit maxReceivedBytes"
            )
        most = self._max_cpu_seconds + self._beyond_seconds
        if most < math.inf and self._of_all_lives >= most:  # reading the clock is a system call
            return CpuExceeded, (
                f"the run, its child workflows included, used {self._max_cpu_seconds:g} s of CPU, "
                "the limit cpuSeconds"
            )
        return None

    @property
    def _is_held_alone(self) -> bool:
        """Whether there is one process, which the kernel holds to the limit."""
        is_first = not (self.cpu_seconds > 0 or self.earlier_cpu_seconds > 0)
        return is_first and len(self._running) <= 1 and not self._holds_alone

    @property
    def _beyond_seconds(self) -> float:
        if self._is_held_alone:  # or it ends its workflow itself, and then reports a stack
            return math.inf
        is_first = not (self.cpu_seconds > 0 or self.earlier_cpu_seconds > 0)
        return _ALONE_SECONDS if is_first and len(self._running) <= 1 else 0.0
