"""Who is next: start-time fair queueing between tenants, without I/O or a clock of its own.

Each tenant's next run has a start tag in virtual time; the smallest goes first. A run moves its tenant's tag
on by 1 / weight, and virtual time is the tag of the run that started last. A tenant that could not have used
a slot (it had nothing waiting, was at its own cap, or had overdrawn its CPU) comes back at the present
virtual time, and so gathers no credit. (Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flowcage.host.outcome.errors import Overloaded
from flowcage.host.outcome.quota import Quota
from flowcage.host.tenants.lazy_heap import LazyHeap
from flowcage.host.tenants.tenant import (
    MAX_NAME_LENGTH,
    Counts,
    Durations,
    Place,
    Tally,
    Tenant,
    TenantLimits,
)

# A tenant with nothing running or waiting is remembered this long: its rate has recovered by then, and one
# that asks again and again keeps its tag. One whose CPU is not yet paid back is remembered until it is.
REMEMBER_SECONDS = 60.0
# Past that many the one closest to being forgotten goes early: names may be invented.
MAX_IDLE_TENANTS = 10_000
# The estimate before any run has ended.
_UNKNOWN_DURATION_SECONDS = 1.0
# Nobody should ask again sooner, however short runs are.
_LEAST_RETRY_SECONDS = 0.001


class _Refusal(NamedTuple):
    """Why a run cannot come in, and for how many seconds."""

    quota: Quota
    why: str
    seconds: float


class FairQueue:
    """Places, slots and quotas. `now` is in seconds, on a clock that never goes back.

    After anything that may free a slot, the caller asks `start_next` until it returns None.

    Args:
        max_runs: runs at once, over all tenants.
        max_queued: runs waiting, over all tenants. None may hold more places than it leaves free, so that one
            tenant's queue never closes the host to another.
        limits_of: the limits of a tenant, asked when the host first hears of it or has forgotten it.
    """

    def __init__(self, max_runs: int, max_queued: int, limits_of: Callable[[str], TenantLimits]) -> None:
        self._max_runs = max_runs
        self._max_queued = max_queued
        self._limits_of = limits_of
        self._tenants: dict[str, Tenant] = {}
        self._counts = Counts()
        self._durations = Durations()
        self._virtual_time = 0.0
        self._latest_finish = 0.0
        self._ready = LazyHeap(_next_start)
        self._held = LazyHeap(_end_of_hold)
        self._idle = LazyHeap(self._end_of_memory)
        self._idle_tenants = 0

    def enter(self, name: str, now: float, *, room: bool) -> Place:
        """Take a place in the queue; `start_next` may hand it out at once.

        Args:
            name: the tenant, 1 to `MAX_NAME_LENGTH` characters.
            room: there is memory for one more run.

        Raises:
            Overloaded: a quota is used up; nothing has changed but the count of refusals.
            ValueError: no name for a tenant.
        """
        self.advance(now)
        tenant = self._tenants.get(name) or self._new(name, now)
        if refusal := self._refusal(tenant, now, room):
            for counts in self._both(tenant):
                counts.refused[refusal.quota] = counts.refused.get(refusal.quota, 0) + 1
            raise Overloaded(name, refusal.quota, refusal.why, refusal.seconds)
        return self._admit(tenant, now)

    def start_next(self, now: float) -> Place | None:
        """Give a slot to the run whose turn it is; None if there is no slot or no run that may have it."""
        self.advance(now)
        if self._counts.running >= self._max_runs or (first := self._ready.first()) is None:
            return None
        tag, tenant = first
        self._ready.remove_first()
        self._virtual_time = max(self._virtual_time, tag)
        tenant.start_tag = self._virtual_time + 1 / tenant.limits.weight
        self._latest_finish = max(self._latest_finish, tenant.start_tag)
        place, _ = tenant.queue.popitem(last=False)
        place.started_at = now
        for counts in self._both(tenant):
            counts.running += 1
            counts.queued -= 1
            counts.waited_seconds += now - place.entered_at
        self._make_ready(tenant)
        return place

    def withdraw(self, place: Place, now: float) -> None:
        """A run gives up before it began anything, with or without a slot. It is as if it had not come."""
        tenant = place.tenant
        tenant.runs.take(-1, now)
        if place.started_at is not None:
            tenant.start_tag -= 1 / tenant.limits.weight
        else:
            del tenant.queue[place]
        for counts in self._both(tenant):
            counts.withdrawn += 1
            if place.started_at is not None:
                counts.running -= 1
            else:
                counts.queued -= 1
                counts.waited_seconds += now - place.entered_at
        self._after_leaving(tenant, now)

    def finish(self, place: Place, now: float) -> None:
        """A run has ended; its slot is free."""
        tenant = place.tenant
        assert place.started_at is not None
        for durations in (self._durations, tenant.durations):
            durations.add(now - place.started_at)
        for counts in self._both(tenant):
            counts.running -= 1
        self._after_leaving(tenant, now)

    def charge_cpu(self, name: str, seconds: float, now: float) -> None:
        """Book CPU seconds, also for a tenant that has no run any more."""
        tenant = self._tenants.get(name)
        if tenant is None:
            tenant = self._tenants[name] = self._new(name, now)
            self._after_leaving(tenant, now)
        tenant.cpu.take(seconds, now)
        for counts in self._both(tenant):
            counts.cpu_seconds += seconds
        if not tenant.cpu.holds(0, now):
            tenant.held = True
            self._held.add(tenant)

    def advance(self, now: float) -> None:
        """Let those go on whose CPU is paid back, and forget those of whom nothing is worth keeping."""
        while (held := self._held.first()) and held[1].cpu.holds(0, now):
            self._held.remove_first()
            held[1].held = False
            self._make_ready(held[1])
        while (idle := self._idle.first()) and (idle[0] <= now or self._idle_tenants > MAX_IDLE_TENANTS):
            self._idle.remove_first()
            del self._tenants[idle[1].name]
            self._idle_tenants -= 1

    def tally(self, name: str | None = None) -> Tally:
        """Of the host, or of one tenant; of one that is not remembered, nothing but zeros."""
        if name is None:
            return self._counts.snapshot()
        tenant = self._tenants.get(name)
        return tenant.counts.snapshot() if tenant else Counts().snapshot()

    def tenants(self) -> tuple[str, ...]:
        """All that are remembered."""
        return tuple(self._tenants)

    def _new(self, name: str, now: float) -> Tenant:
        if not 0 < len(name) <= MAX_NAME_LENGTH:
            raise ValueError(f"a tenant's name has 1 to {MAX_NAME_LENGTH} characters, not {len(name)}")
        return Tenant(name, self._limits_of(name), now)

    def _refusal(self, tenant: Tenant, now: float, room: bool) -> _Refusal | None:
        limits = tenant.limits
        if not tenant.runs.holds(1, now):
            why = f"it may start {limits.runs_per_minute} runs a minute"
            return _Refusal(Quota.RUNS_PER_MINUTE, why, tenant.runs.ready_at(1) - now)
        if not tenant.cpu.holds(0, now):
            why = f"it may use {limits.cpu_seconds_per_minute:g} CPU seconds a minute and has used more"
            return _Refusal(Quota.CPU_SECONDS_PER_MINUTE, why, tenant.cpu.ready_at(0) - now)
        could_start = self._counts.running < self._max_runs and tenant.may_start
        return None if could_start and room else self._refusal_to_queue(tenant)

    def _refusal_to_queue(self, tenant: Tenant) -> _Refusal | None:
        # Where a slot is free and the tenant may use it, a run waits for nothing but memory.
        for_memory = self._counts.running < self._max_runs and tenant.may_start
        queued, running = tenant.counts.queued, tenant.counts.running
        if queued >= tenant.limits.max_queued:
            why = (
                f"{running} of its runs are running and {queued} wait, of at most {tenant.limits.max_queued}"
            )
            quota = Quota.MEMORY if for_memory else Quota.QUEUED_RUNS
            return _Refusal(quota, why, max(self._seconds_to_a_turn(tenant), _LEAST_RETRY_SECONDS))
        left = self._max_queued - self._counts.queued
        if queued >= left:
            why = f"the host's queue has {left} of {self._max_queued} places left and {queued} are its own"
            quota = Quota.MEMORY if for_memory else Quota.HOST_QUEUE
            return _Refusal(quota, why, max(self._seconds_to_a_turn(None), _LEAST_RETRY_SECONDS))
        return None

    def _seconds_to_a_turn(self, tenant: Tenant | None) -> float:
        """Until a place in the tenant's queue, or in the host's, becomes free, as things went of late."""
        average = _UNKNOWN_DURATION_SECONDS if self._durations.average is None else self._durations.average
        if tenant is None:
            return average / max(1, self._counts.running)
        if tenant.durations.average is not None and tenant.counts.running:
            return tenant.durations.average / tenant.counts.running
        return average * max(1, len(self._ready)) / max(1, self._counts.running)

    def _admit(self, tenant: Tenant, now: float) -> Place:
        if tenant.idle_since is not None:
            tenant.idle_since = None
            self._idle_tenants -= 1
        self._tenants[tenant.name] = tenant
        tenant.runs.take(1, now)
        place = Place(tenant, now)
        tenant.queue[place] = None
        for counts in self._both(tenant):
            counts.queued += 1
            counts.admitted += 1
        self._make_ready(tenant)
        return place

    def _after_leaving(self, tenant: Tenant, now: float) -> None:
        if self._counts.running + self._counts.queued == 0:
            self._virtual_time = self._latest_finish  # nobody waited for anybody: no debts remain
        if tenant.counts.running + tenant.counts.queued == 0:
            tenant.idle_since = now
            self._idle_tenants += 1
            self._idle.add(tenant)
        self._make_ready(tenant)

    def _make_ready(self, tenant: Tenant) -> None:
        if tenant.queue and tenant.may_start:
            tenant.start_tag = max(tenant.start_tag, self._virtual_time)
            self._ready.add(tenant)

    def _both(self, tenant: Tenant) -> tuple[Counts, Counts]:
        return self._counts, tenant.counts

    def _end_of_memory(self, tenant: Tenant) -> float | None:
        if tenant.idle_since is None or self._tenants.get(tenant.name) is not tenant:
            return None
        return max(tenant.idle_since + REMEMBER_SECONDS, tenant.cpu.ready_at(tenant.cpu.per_minute))


def _next_start(tenant: Tenant) -> float | None:
    return tenant.start_tag if tenant.queue and tenant.may_start else None


def _end_of_hold(tenant: Tenant) -> float | None:
    return tenant.cpu.ready_at(0) if tenant.held else None
