"""A budget of memory for all runs together.

Limits of processes bound each run, but a thousand runs at their limits would need more than most machines
have, and few runs come near theirs. So a run is admitted by what it is expected to use and measured while it
runs, and the next ones wait while the sum is too large, or while the machine has too little left.

`Scheduler` asks `has_room` before each start, calls `admit` and `release` for each run, and `sample` once a
second. A run opens `MemoryCharge.process` around each of its children. Everything happens in one thread.

Invariants:

- `charged_bytes` is the sum of the charges of admitted runs. Only `admit`, `release` and `recharge` change
  it, each together with the charge. `recharge` ignores a run that was released, which can happen while
  `sample` has yielded.
- A run is charged at least its expected size, so runs that started since the last sample count too.
- What the machine has available is read once a second. A run that started since then is not in that figure,
  so its expected size is subtracted (`_unseen_runs`). A charge keeps the number of the reading before it;
  `release` takes the run out of `_unseen_runs` only if no reading came in between, which would have set that
  to 0.
- Pages that a child shares with its zygote are not charged, except as much as the expected size, which stands
  for those that the child has copied (`process`).
- A figure that cannot be read stays as it was. The budget is for admission only; a run that grows too large
  is killed by its own limits.

tests/tenants/test_memory_budget.py tests these with made-up readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from flowcage.host.process import machine_memory
from flowcage.host.process.block import Block
from flowcage.protocol.limits import MIB

EXPECTED_RUN_BYTES = 4 * MIB
# Runs that are measured before other tasks may run: about a millisecond of the event loop.
_BATCH = 100


class MemoryCharge:
    """What one run is charged: its expected size, or what it was measured to use if that is more.

    Attributes:
        bytes: the charge.
        since_reading: number of the reading of available memory that the run started after.
    """

    __slots__ = ("_budget", "_processes", "bytes", "since_reading")

    def __init__(self, budget: MemoryBudget, since_reading: int) -> None:
        self._budget = budget
        self._processes: dict[int, tuple[int, int]] = {}  # pid: what it inherited, what it holds beside that
        self.bytes = budget.expected_run_bytes
        self.since_reading = since_reading

    def process(self, pid: int, inherited_bytes: int = 0) -> Block[None]:
        """Measure a process for the run while the block lasts; leave the block when the process has ended.

        Args:
            pid: a child of this run; a run with child workflows has several.
            inherited_bytes: `private_bytes` of the zygote that it was forked from. The kernel counts these
                pages as the child's, but most stay shared; what the child copies of them is assumed to be
                within the expected size.
        """
        shared = max(0, inherited_bytes - self._budget.expected_run_bytes)
        return Block(partial(self._processes.__setitem__, pid, (shared, 0)), partial(self._end, pid))

    def _end(self, pid: int) -> None:
        del self._processes[pid]
        self._budget.recharge(self, self._sum())

    def measure(self, private_bytes: Callable[[int], int]) -> int:
        """Read all processes of the run, and return what to charge now, in bytes."""
        for pid, (shared, _) in self._processes.items():
            with suppress(OSError):  # no descriptor is left: the last figure stands
                self._processes[pid] = (shared, max(0, private_bytes(pid) - shared))
        return self._sum()

    def _sum(self) -> int:
        return max(self._budget.expected_run_bytes, sum([held for _, held in self._processes.values()]))


class MemoryBudget:
    """Admits runs while they fit, and while the machine has enough memory available.

    Args:
        budget_bytes: the sum of all charges. By default three quarters of the machine's memory, or of the
            cgroup's if that is less: the rest is for the host, its agents and the page cache.
        floor_bytes: no run starts that would leave less than this available. By default a twentieth of the
            memory: with less, the kernel may soon have to evict pages that are in use.
        expected_run_bytes: charged from a run's start, before it can be measured. A run that waits for its
            first agent uses about 2 MiB of its own when forked from a zygote, and 8 MiB when executed;
            pass the larger figure where that is how runs start.
        available: reads what is available, in bytes.
        private: reads the private resident bytes of a process; 0 once it has ended.

    Raises:
        ValueError: not even one run would fit, or a size is not above 0.
        OSError: the machine's memory cannot be read.
    """

    def __init__(
        self,
        budget_bytes: int | None = None,
        floor_bytes: int | None = None,
        expected_run_bytes: int = EXPECTED_RUN_BYTES,
        available: Callable[[], int] = machine_memory.available_bytes,
        private: Callable[[int], int] = machine_memory.private_bytes,
    ) -> None:
        if budget_bytes is None or floor_bytes is None:
            total = machine_memory.total_bytes()
            budget_bytes = total * 3 // 4 if budget_bytes is None else budget_bytes
            floor_bytes = total // 20 if floor_bytes is None else floor_bytes
        if expected_run_bytes < 1:
            raise ValueError(f"expected_run_bytes must be above 0, not {expected_run_bytes!r}")
        if budget_bytes < expected_run_bytes:
            raise ValueError(
                f"budget_bytes must be at least expected_run_bytes ({expected_run_bytes}), not {budget_bytes}"
            )
        if floor_bytes < 0:
            raise ValueError(f"floor_bytes must be 0 or more, not {floor_bytes!r}")
        self.budget_bytes = budget_bytes
        self.floor_bytes = floor_bytes
        self.expected_run_bytes = expected_run_bytes
        self._read_available = available
        self._read_private = private
        self._available = available()
        self._readings = 0
        self._unseen_runs = 0  # started since the last reading of what is available, and so not in it
        self._charges: dict[MemoryCharge, None] = {}
        self._charged_bytes = 0

    @property
    def charged_bytes(self) -> int:
        """The sum of all charges."""
        return self._charged_bytes

    @property
    def available_bytes(self) -> int:
        """What was available at the last reading, less the expected size of each run started since."""
        return self._available - self._unseen_runs * self.expected_run_bytes

    def has_room(self) -> bool:
        """Whether one more run fits."""
        fits = self._charged_bytes + self.expected_run_bytes <= self.budget_bytes
        return fits and self.available_bytes - self.expected_run_bytes >= self.floor_bytes

    def admit(self) -> MemoryCharge:
        """Charge a run that starts; call `release` when it has ended."""
        charge = MemoryCharge(self, self._readings)
        self._charges[charge] = None
        self._charged_bytes += charge.bytes
        self._unseen_runs += 1
        return charge

    def release(self, charge: MemoryCharge) -> None:
        """Remove the charge of a run that has ended."""
        del self._charges[charge]
        self._charged_bytes -= charge.bytes
        self._unseen_runs -= charge.since_reading == self._readings  # later readings contain the run

    def recharge(self, charge: MemoryCharge, charged_bytes: int) -> None:
        """Change the charge of a run that has not been released."""
        if charge in self._charges:
            self._charged_bytes += charged_bytes - charge.bytes
            charge.bytes = charged_bytes

    def sample(self) -> Iterator[None]:
        """Measure every run anew; yields after each batch, so that other tasks may run."""
        with suppress(OSError):  # no descriptor is left: the last reading stands
            self._available = self._read_available()
            self._readings += 1
            self._unseen_runs = 0
        charges = iter(list(self._charges))
        while batch := list(islice(charges, _BATCH)):
            for charge in batch:
                self.recharge(charge, charge.measure(self._read_private))
            yield
