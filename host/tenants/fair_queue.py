"""Start-time fair queueing between tenants, with quotas, and without I/O or a clock of its own.

Each tenant's next run has a start tag in virtual time; the smallest goes first. A run moves its tenant's tag
on by 1 / weight, and virtual time is the tag of the run that started last. A tenant that could not have used
a slot (it had nothing waiting, was at its own cap, or had overdrawn its CPU) returns at the present virtual
time, and so gathers no credit. (Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996.)

`Scheduler` is the only caller. Every call that depends on time takes `now`, and none waits. After anything
that may free a slot the caller asks `start_next` until it returns None: the queue never starts a run by
itself.

A run enters (`enter`), gets a slot (`start_next`) and ends (`finish`); before it has begun anything it may
also be withdrawn, from the queue or with its slot. Invariants:

- Counts of the host and of each tenant change together (`_both`), so the host's are the sums over its
  tenants, those that it has forgotten included.
- A tenant's tag never falls behind virtual time when it becomes ready (`_make_ready`). Otherwise an absence
  would be credit for a burst in front of all others.
- `withdraw` with a slot takes the tag back, and every `withdraw` the rate: as if the run had not come. Not so
  virtual time: it must never go back, or others would be ordered by two times at once.
- When nothing runs or waits, virtual time jumps to the latest finish tag. So a tenant that used the host
  alone owes nothing to one that comes when it is empty.
- Three heaps have tenants by a key that changes while they are in (`LazyHeap`): ready by start tag, held by
  the time when their CPU debt is paid, idle by the time when they are forgotten. A tenant's key is None where
  it does not belong, which is how it leaves a heap. Whatever changes what a key depends on must add the
  tenant again; that is what `_make_ready`, `charge_cpu` and `_after_leaving` do at their end.
- A tenant is remembered while forgetting it would change its quotas: for a minute, in which its rate
  recovers, and until its CPU is paid back. Past `MAX_IDLE_TENANTS` the next one to be forgotten goes early,
  because a caller may invent names.
- No tenant may have more places in the host's queue than it leaves free, so that however many one tenant asks
  for, another still finds a place.

tests/tenants/test_fair_queue_rules.py compares random sequences of calls with a model;
tests/tenants/test_fair_queue.py has an example of each rule of order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flowcage.host.outcome.errors import Overloaded
from flowcage.host.outcome.quota import Quota
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.new.queued import require_tenant
from flowcage.host.tenants.lazy_heap import LazyHeap
from flowcage.host.tenants.tenant import (
    Counts,
    Durations,
    Place,
    Tally,
    Tenant,
    TenantLimits,
)

# After its last run; a token bucket is full again after a minute.
REMEMBER_SECONDS = 60.0
# Tenants without a run that are remembered. Without a bound, invented names would fill the memory.
MAX_IDLE_TENANTS = 10_000
# For the estimate of when to retry, before any run has ended.
_UNKNOWN_DURATION_SECONDS = 1.0
# The least that a refused caller is told to wait: 0 would be a busy loop.
_LEAST_RETRY_SECONDS = 0.001


class _Refusal(NamedTuple):
    """Which quota refuses a run, why, and in how many seconds a retry may succeed."""

    quota: Quota
    why: str
    seconds: float


class FairQueue:
    """Places, slots and quotas. `now` is in seconds, on a clock that never goes back.

    Args:
        max_runs: runs at once, over all tenants.
        max_queued: runs waiting, over all tenants; no tenant may have more places than it leaves free.
        limits_of: the limits of a tenant by its name; called when a tenant is not remembered.
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
        self._idle = LazyHeap(self._forgotten_at)
        self._idle_tenants = 0

    def enter(self, name: str, now: float, *, room: bool) -> Place:
        """Take a place in the queue; `start_next` may hand it out at once.

        Args:
            name: the tenant, see `require_tenant`.
            now: seconds.
            room: there is memory for one more run.

        Raises:
            Overloaded: a quota is used up; nothing has changed but the count of refusals.
            ValueError: the name is empty or too long.
        """
        self.advance(now)
        tenant = self._tenants.get(name) or self._new(name, now)
        if refusal := self._refusal(tenant, now, room):
            for counts in self._both(tenant):
                counts.refused[refusal.quota] = counts.refused.get(refusal.quota, 0) + 1
            raise Overloaded(name, refusal.quota, refusal.why, refusal.seconds)
        return self._admit(tenant, now)

    def start_next(self, now: float) -> Place | None:
        """Give a slot to the run with the smallest start tag; None if no slot is free or no run may start."""
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
        """Take back a run that has begun nothing, with or without a slot; it costs the tenant no quota."""
        tenant = place.tenant
        tenant.runs.take(-1, now)
        if place.started_at is not None:
            tenant.start_tag -= 1 / tenant.limits.weight  # `start_next` moved it on for this run
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
        """Free the slot of a run that has ended."""
        tenant = place.tenant
        assert place.started_at is not None
        for durations in (self._durations, tenant.durations):
            durations.add(now - place.started_at)
        for counts in self._both(tenant):
            counts.running -= 1
        self._after_leaving(tenant, now)

    def ended(self, place: Place, verdict: Verdict) -> None:
        """Count the end of a run that has a place, or had one."""
        for counts in self._both(place.tenant):
            counts.ended[verdict] = counts.ended.get(verdict, 0) + 1

    def charge_cpu(self, name: str, seconds: float, now: float) -> None:
        """Charge CPU seconds to a tenant, also after its last run."""
        tenant = self._tenants.get(name)
        if tenant is None:  # forgotten since its last run; the debt holds for the next one all the same
            tenant = self._tenants[name] = self._new(name, now)
            self._after_leaving(tenant, now)
        tenant.cpu.take(seconds, now)
        for counts in self._both(tenant):
            counts.cpu_seconds += seconds
        if not tenant.cpu.holds(0, now):
            tenant.held = True
            self._held.add(tenant)

    def advance(self, now: float) -> None:
        """Release tenants whose CPU debt is paid back, and forget those whose time is over."""
        while (held := self._held.first()) and held[1].cpu.holds(0, now):
            self._held.remove_first()
            held[1].held = False
            self._make_ready(held[1])
        while (idle := self._idle.first()) and (idle[0] <= now or self._idle_tenants > MAX_IDLE_TENANTS):
            self._idle.remove_first()
            del self._tenants[idle[1].name]
            self._idle_tenants -= 1

    def tally(self, name: str | None = None) -> Tally:
        """The figures of the host, or of one tenant; zeros for a tenant that is not remembered."""
        if name is None:
            return self._counts.snapshot()
        tenant = self._tenants.get(name)
        return tenant.counts.snapshot() if tenant else Counts().snapshot()

    def tenants(self) -> tuple[str, ...]:
        """The names of the tenants that are remembered."""
        return tuple(self._tenants)

    def _new(self, name: str, now: float) -> Tenant:
        require_tenant(name)
        return Tenant(name, self._limits_of(name), now)

    def _refusal(self, tenant: Tenant, now: float, room: bool) -> _Refusal | None:
        # Rates first: with a rate used up, a free place in the queue would not help.
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
        # If a slot is free and the tenant may use it, only memory can be missing.
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
        """Estimate when a place in the tenant's queue becomes free, or in the host's (None).

        From the average duration of recent runs: of n that run, one ends every 1/n of it. A tenant with none
        running, or none ended, waits for a turn among all that are ready.
        """
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
            self._virtual_time = self._latest_finish  # idle: no tag may be ahead of the next run's
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

    def _forgotten_at(self, tenant: Tenant) -> float | None:
        if tenant.idle_since is None or self._tenants.get(tenant.name) is not tenant:
            return None
        return max(tenant.idle_since + REMEMBER_SECONDS, tenant.cpu.ready_at(tenant.cpu.per_minute))


def _next_start(tenant: Tenant) -> float | None:
    return tenant.start_tag if tenant.queue and tenant.may_start else None


def _end_of_hold(tenant: Tenant) -> float | None:
    return tenant.cpu.ready_at(0) if tenant.held else None
