"""Turns of runs: `FairQueue` and `MemoryBudget` for trio programs.

`Host` is the caller: `turn` around each run, `run` as a task, `close` at the end. The queue decides who is
next and the budget whether anybody is; neither waits. Here are the waiting and the clock.

Invariants:

- A run starts only in `_dispatch`, and everything that may let one start calls it: a run that enters or
  leaves, and every sample of memory. Between `start_next` and `_granted.set()` is no await, so no slot is
  handed out twice.
- Every place that was entered is left exactly once, by `withdraw` if the block of `turn` was not entered, by
  `finish` otherwise. A waiter that is cancelled in the moment of its turn has a slot already: its place is
  withdrawn with it and dispatch runs again, or the slot would be lost
  (tests/tenants/test_scheduler.py::test_a_waiter_cancelled_in_the_moment_of_its_turn_still_gives_the_slot_on).
- Memory is charged in `_dispatch`, before the next run is looked at, and released when the place is left.
- `enter` dispatches before it enters: a hold that has ended in the meantime gives the slot to a run that
  waits, not to the one that has just come.
- `close` wakes all that wait; they leave with `HostClosing`. `_dispatch` starts nothing from then on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType

import trio

from flowcage.host.outcome.errors import HostClosing, Overloaded
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.tenants.fair_queue import FairQueue
from flowcage.host.tenants.memory_budget import MemoryBudget, MemoryCharge
from flowcage.host.tenants.tenant import Place, Tally, TenantLimits, require_whole
from flowcage.host.terminal.log import Sparingly, logger, name_of

_LOG = logger("tenants")
MAX_RUNS = 1_000
MAX_QUEUED = 20_000
# Between two measurements of memory. A thousand runs take some ten milliseconds to measure.
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True)
class SchedulerStatistics:
    """The scheduler's figures, for the whole host.

    Attributes:
        tally: of all tenants, forgotten ones included.
        tenants: the number of tenants that are remembered.
        charged_bytes, budget_bytes: memory that runs are charged, and the most that they may be.
        available_bytes: on the machine or in the cgroup, as last read, less the expected size of runs started
            since.
    """

    tally: Tally
    tenants: int
    charged_bytes: int
    budget_bytes: int
    available_bytes: int


class Turn:
    """One run's slot, while the block of `Scheduler.turn` lasts.

    Attributes:
        tenant: the tenant's name.
        limits: the tenant's limits.
    """

    def __init__(self, scheduler: Scheduler, place: Place) -> None:
        self.tenant = place.tenant.name
        self.limits = place.tenant.limits
        self._scheduler = scheduler
        self._place = place
        self._granted = trio.Event()
        self._charge: MemoryCharge | None = None

    @property
    def waited_seconds(self) -> float:
        """Seconds from the call of `Scheduler.turn` to the slot."""
        assert self._place.started_at is not None
        return self._place.started_at - self._place.entered_at

    def charge_cpu(self, seconds: float) -> None:
        """Charge the tenant with CPU of the run's children; also after the block.

        Raises:
            ValueError: the seconds are negative or not finite.
        """
        self._scheduler.charge_cpu(self.tenant, seconds)

    def ended(self, verdict: Verdict) -> None:
        """Count the run as ended."""
        self._scheduler.count_end(self._place, verdict)

    def process(self, pid: int, inherited_bytes: int = 0) -> AbstractContextManager[None]:
        """Measure a process's memory for the run; see `MemoryCharge.process`."""
        assert self._charge is not None
        return self._charge.process(pid, inherited_bytes)


class Scheduler:
    """Decides which run starts when.

    Args:
        memory: of all runs together.
        tenants: limits of tenants by name.
        default: limits of each tenant that is not named there.
        max_runs: runs at once.
        max_queued: runs waiting; no tenant may have more of these places than it leaves free.

    Raises:
        ValueError: a number is too small or not whole.
    """

    def __init__(
        self,
        memory: MemoryBudget,
        tenants: Mapping[str, TenantLimits] = MappingProxyType({}),
        default: TenantLimits | None = None,
        max_runs: int = MAX_RUNS,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        for name, value, least in (("max_runs", max_runs, 1), ("max_queued", max_queued, 0)):
            require_whole(name, value, least)
        others = TenantLimits() if default is None else default
        self._memory = memory
        self._queue = FairQueue(max_runs, max_queued, lambda name: tenants.get(name, others))
        self._waiting: dict[Place, Turn] = {}
        self._closed = False
        self._refusals = Sparingly()

    def turn(self, tenant: str) -> AbstractAsyncContextManager[Turn]:
        """Wait for the tenant's turn, and hold a slot for the length of the block.

        Args:
            tenant: a name that was authenticated, since every name has a share of the turns.

        Raises:
            Overloaded: at once: a quota is used up.
            HostClosing: `close` was called before, or while this waited.
            ValueError: the tenant's name is empty or too long.
        """
        return _Holding(self, tenant)

    async def wait(self, tenant: str) -> Turn:
        """Wait for the tenant's turn, which `leave` ends; errors as `turn`."""
        return await self.granted(self.enter(tenant))

    async def granted(self, turn: Turn) -> Turn:
        """Wait for the turn of a place that `enter` gave, which is left if it does not come.

        Raises:
            HostClosing: as `turn`.
        """
        try:
            if turn._granted.is_set():  # usually; to wait for it would take a turn of the event loop
                await trio.lowlevel.checkpoint_if_cancelled()
            else:
                await turn._granted.wait()
            if self._closed:
                raise HostClosing
        except BaseException:
            self.leave(turn, begun=False)
            raise
        return turn

    async def run(self) -> None:
        """Measure memory and start the runs that waited for it, until cancelled; start this task once."""
        while True:
            for _ in self._memory.sample():
                await trio.lowlevel.checkpoint()
            self._dispatch()
            await trio.sleep(SAMPLE_SECONDS)

    def close(self) -> None:
        """Start nothing from now on; callers that wait get `HostClosing`. Runs that have begun go on."""
        self._closed = True
        for turn in self._waiting.values():
            turn._granted.set()

    def charge_cpu(self, tenant: str, seconds: float) -> None:
        """Charge a tenant with CPU seconds; see `Turn.charge_cpu`."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"CPU seconds must be finite and 0 or more, not {seconds!r}")
        self._queue.charge_cpu(tenant, seconds, trio.current_time())

    def count_end(self, place: Place, verdict: Verdict) -> None:
        """See `Turn.ended`."""
        self._queue.ended(place, verdict)

    def statistics(self) -> SchedulerStatistics:
        """The figures of the whole host; reads counters only."""
        memory = self._memory
        return SchedulerStatistics(
            self._queue.tally(),
            len(self._queue.tenants()),
            memory.charged_bytes,
            memory.budget_bytes,
            memory.available_bytes,
        )

    def tenant_statistics(self, tenant: str) -> Tally:
        """The figures of one tenant since it was last forgotten, at least a minute after its last run."""
        return self._queue.tally(tenant)

    def tenants(self) -> tuple[str, ...]:
        """The names of the tenants that are remembered."""
        return self._queue.tenants()

    def has_room(self) -> bool:
        """Whether one more run would begin at once, but for its tenant's limits."""
        return not self._waiting and self._memory.has_room()

    def enter(self, tenant: str) -> Turn:
        """Take a place among those that wait for their turn; `granted` or `leave` must follow.

        Raises:
            Overloaded, HostClosing, ValueError: as `turn`.
        """
        if self._closed:
            raise HostClosing
        if self._waiting:  # one of them goes first, if a CPU debt was paid back since the last dispatch
            self._dispatch()
        try:
            place = self._queue.enter(tenant, trio.current_time(), room=self._memory.has_room())
        except Overloaded as refused:
            self._log_refusal(refused)
            raise
        turn = self._waiting[place] = Turn(self, place)
        self._dispatch()
        return turn

    def _log_refusal(self, refused: Overloaded) -> None:
        """One record a minute for each quota: a tenant may ask thousands of times a second."""
        if (left_out := self._refusals.may_tell(refused.quota)) is not None:
            fields = {"quota": refused.quota.value, "tenant": name_of(refused.tenant), "left_out": left_out}
            _LOG.warning("a run was refused, by quota %s", refused.quota, extra=fields)

    def leave(self, turn: Turn, *, begun: bool = True) -> None:
        """Give a turn back, or a place that had none."""
        self._waiting.pop(turn._place, None)
        if turn._charge is not None:
            self._memory.release(turn._charge)
        leave = self._queue.finish if begun else self._queue.withdraw
        leave(turn._place, trio.current_time())
        if self._waiting:
            self._dispatch()

    def _dispatch(self) -> None:
        while not self._closed and self._memory.has_room():
            place = self._queue.start_next(trio.current_time())
            if place is None:
                return
            turn = self._waiting.pop(place)
            turn._charge = self._memory.admit()
            turn._granted.set()


class _Holding(AbstractAsyncContextManager[Turn]):
    """The block of `Scheduler.turn`. Each run enters one; a generator would cost three times as much."""

    __slots__ = ("_scheduler", "_tenant", "_turn")

    def __init__(self, scheduler: Scheduler, tenant: str) -> None:
        self._scheduler = scheduler
        self._tenant = tenant
        self._turn: Turn | None = None

    async def __aenter__(self) -> Turn:
        self._turn = await self._scheduler.wait(self._tenant)
        return self._turn

    async def __aexit__(self, *raised: object) -> None:
        assert self._turn is not None
        self._scheduler.leave(self._turn)
