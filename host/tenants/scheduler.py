"""Waiting for one's turn: `FairQueue` and `MemoryBudget` for trio programs."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

import trio

from flowcage.host.outcome.errors import HostClosing
from flowcage.host.tenants.fair_queue import FairQueue
from flowcage.host.tenants.memory_budget import MemoryBudget, MemoryCharge
from flowcage.host.tenants.tenant import Place, Tally, TenantLimits

MAX_RUNS = 1_000
MAX_QUEUED = 20_000
# A thousand runs take some ten milliseconds to measure.
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True)
class SchedulerStatistics:
    """The whole host, now and since it started.

    Attributes:
        tally: of all tenants, forgotten ones included.
        tenants: how many are remembered.
        charged_bytes, budget_bytes: of the memory for runs.
        available_bytes: on the machine or in the cgroup, as last read, less what was started since.
    """

    tally: Tally
    tenants: int
    charged_bytes: int
    budget_bytes: int
    available_bytes: int


class Turn:
    """One run's permission to run, while the block of `Scheduler.turn` lasts.

    Attributes:
        tenant: the name.
        limits: the tenant's.
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
        """How long it waited for its turn."""
        assert self._place.started_at is not None
        return self._place.started_at - self._place.entered_at

    def charge_cpu(self, seconds: float) -> None:
        """Book CPU of the run's children, once it is known; also after the block.

        Raises:
            ValueError: the seconds are negative or not finite.
        """
        self._scheduler.charge_cpu(self.tenant, seconds)

    def process(self, pid: int, inherited_bytes: int = 0) -> AbstractContextManager[None]:
        """Measure this process's memory for the run; see `MemoryCharge.process`."""
        assert self._charge is not None
        return self._charge.process(pid, inherited_bytes)


class Scheduler:
    """Who may start a run, and when.

    Args:
        memory: for all runs together.
        tenants: limits of tenants by name.
        default: limits of each tenant that is not named there.
        max_runs: runs at once.
        max_queued: runs waiting; a tenant may not hold more of these places than it leaves free.
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
            if type(value) is not int or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
        others = TenantLimits() if default is None else default
        self._memory = memory
        self._queue = FairQueue(max_runs, max_queued, lambda name: tenants.get(name, others))
        self._waiting: dict[Place, Turn] = {}
        self._closed = False

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[Turn]:
        """Wait for the tenant's turn, and hold a slot for the length of the block.

        Args:
            tenant: the name of one that was authenticated: who can invent names can invent shares.

        Raises:
            Overloaded: at once, before anything else: a quota is used up.
            HostClosing: `close` was called, before or while it waited.
            ValueError: no name for a tenant.
        """
        turn = self._enter(tenant)
        try:
            await turn._granted.wait()
            if self._closed:
                raise HostClosing
        except BaseException:
            self._leave(turn, begun=False)
            raise
        try:
            yield turn
        finally:
            self._leave(turn, begun=True)

    async def run(self) -> None:
        """Measure memory and let those go on who waited for it, until cancelled. Start it once, as a task."""
        while True:
            for _ in self._memory.sample():
                await trio.lowlevel.checkpoint()
            self._dispatch()
            await trio.sleep(SAMPLE_SECONDS)

    def close(self) -> None:
        """Start nothing any more; whoever waits gets `HostClosing`. Runs that have begun are not touched."""
        self._closed = True
        for turn in self._waiting.values():
            turn._granted.set()

    def charge_cpu(self, tenant: str, seconds: float) -> None:
        """Book CPU seconds; see `Turn.charge_cpu`."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"CPU seconds must be finite and 0 or more, not {seconds!r}")
        self._queue.charge_cpu(tenant, seconds, trio.current_time())

    def statistics(self) -> SchedulerStatistics:
        """Of the whole host; costs next to nothing."""
        memory = self._memory
        return SchedulerStatistics(
            self._queue.tally(),
            len(self._queue.tenants()),
            memory.charged_bytes,
            memory.budget_bytes,
            memory.available_bytes,
        )

    def tenant_statistics(self, tenant: str) -> Tally:
        """Of one tenant since it was last forgotten, which takes a minute of idleness at least."""
        return self._queue.tally(tenant)

    def tenants(self) -> tuple[str, ...]:
        """The names of all that are remembered."""
        return self._queue.tenants()

    def _enter(self, tenant: str) -> Turn:
        if self._closed:
            raise HostClosing
        self._dispatch()  # whoever waits already goes first, should time have ended a hold
        place = self._queue.enter(tenant, trio.current_time(), room=self._memory.has_room())
        turn = self._waiting[place] = Turn(self, place)
        self._dispatch()
        return turn

    def _leave(self, turn: Turn, *, begun: bool) -> None:
        self._waiting.pop(turn._place, None)
        if turn._charge is not None:
            self._memory.release(turn._charge)
        leave = self._queue.finish if begun else self._queue.withdraw
        leave(turn._place, trio.current_time())
        self._dispatch()

    def _dispatch(self) -> None:
        while not self._closed and self._memory.has_room():
            place = self._queue.start_next(trio.current_time())
            if place is None:
                return
            turn = self._waiting.pop(place)
            turn._charge = self._memory.admit()
            turn._granted.set()
