"""Whose turn is next: start-time fair queueing between the tenants of one pool, within their quotas.

Each tenant's next run has a start tag in virtual time, and the smallest goes first; a turn moves the tag on
by 1 / weight, and virtual time to the tag that it was given at. A tenant that could not have used a turn
returns at the present virtual time and so gathers no credit. (Goyal, Vin, Cheng: Start-time Fair Queueing,
SIGCOMM 1996.)

Nothing here knows a database or a clock: who gives turns loads the state, and stores it again. Beside the
queue of a host (`host/tenants/fair_queue.py`) there is no memory of who waits, which is what makes it the
same for any number of workers: a tenant that was not given a turn for want of a run, a worker that can replay
it, or a quota, is simply found behind virtual time, and is put there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from flowcage.host.durable.queue.records import TurnLimits

_MINUTE_MS = 60_000
# Hosts agree on the time to less than this; where a clock was set back by more, what it said does not hold.
_SKEW_MS = _MINUTE_MS
# Rounding must not refuse a tenant that has waited exactly as long as it has to.
_ROUNDING = 1e-6


@dataclass
class Used:
    """What a tenant has used of its quotas over all workers, by a time.

    Runs and CPU flow off by their rates, so what is left is what still counts; without a rate nothing counts.

    Attributes:
        at: milliseconds since 1970.
        is_known: false where what the store has of it cannot be.
    """

    at: int
    runs: float = 0.0
    runs_rate: float | None = None
    cpu_seconds: float = 0.0
    cpu_rate: float | None = None
    cost_usd: float = 0.0
    is_known: bool = True

    @property
    def counts(self) -> bool:
        """Whether there is something to keep."""
        return bool(self.runs_rate is not None or self.cpu_rate is not None or self.cost_usd)

    def advance(self, now: int) -> None:
        """Let flow off what does until now; a clock that goes back gives and takes nothing."""
        passed = max(0, now - self.at) / _MINUTE_MS
        self.runs = _left(self.runs, self.runs_rate, passed)
        self.cpu_seconds = _left(self.cpu_seconds, self.cpu_rate, passed)
        self.at = max(now, self.at) if self.at - now <= _SKEW_MS else now

    def charge(self, cpu_seconds: float, cost_usd: float, now: int) -> None:
        """Count what a life has used."""
        self.advance(now)
        self.cost_usd += cost_usd
        if self.cpu_rate is not None:
            self.cpu_seconds += cpu_seconds


def _left(used: float, rate: float | None, minutes: float) -> float:
    return 0.0 if rate is None else max(0.0, used - rate * minutes)


@dataclass
class Tenant:
    """One that has something queued.

    Attributes:
        tag: its start tag in a pool.
        running: runs at work over all workers.
        used: by now.
    """

    name: str
    limits: TurnLimits
    used: Used
    running: int = 0

    def __post_init__(self) -> None:
        self.used.runs_rate = self.limits.runs_per_minute
        self.used.cpu_rate = self.limits.cpu_seconds_per_minute

    @property
    def refusal(self) -> str:
        """Which limit is used up, in words; "" where it may have a turn."""
        limits, used = self.limits, self.used
        if not used.is_known:
            return "what its tenant has used cannot be read"
        if limits.max_runs is not None and self.running >= limits.max_runs:
            return f"its tenant has {self.running} runs at work, of at most {limits.max_runs}"
        if limits.runs_per_minute is not None and used.runs + 1 > limits.runs_per_minute + _ROUNDING:
            return f"its tenant may begin {limits.runs_per_minute:g} runs a minute"
        most = limits.cpu_seconds_per_minute
        if most is not None and used.cpu_seconds > most + _ROUNDING:
            return f"its tenant may use {most:g} CPU seconds a minute and has used more"
        if limits.max_cost_usd is not None and used.cost_usd >= limits.max_cost_usd:
            return f"its tenant has spent its {limits.max_cost_usd:g} US dollars"
        return ""


@dataclass
class Turns:
    """Of one pool, in one look at it.

    Args:
        virtual_time: of the pool.
        tags: of tenants that have had turns.
        waiting: tenants that have something queued. Several pools share them.

    Attributes:
        given: the tags of those that were given turns here.
    """

    virtual_time: float
    tags: dict[str, float]
    waiting: Iterable[Tenant]
    given: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tenants = {each.name: each for each in self.waiting}
        self._heap = [self._place(name, self.tags.get(name, 0.0)) for name in self._tenants]
        heapify(self._heap)

    def _place(self, name: str, tag: float) -> tuple[float, float, str]:
        """Of two at virtual time, whoever has waited longer is first."""
        return max(tag, self.virtual_time), tag, name

    def __len__(self) -> int:
        return len(self._heap)

    def next(self) -> Tenant | None:
        """Whose turn it is: `took` or `has_nothing` must follow. None where nobody may have one."""
        while self._heap:
            tenant = self._tenants[self._heap[0][-1]]
            if not tenant.refusal:
                return tenant
            heappop(self._heap)  # nothing flows off while one looks
        return None

    def took(self) -> None:
        """The next one has begun a run."""
        tag, _, name = heappop(self._heap)
        tenant = self._tenants[name]
        tenant.running += 1
        if tenant.limits.runs_per_minute is not None:
            tenant.used.runs += 1
        self.virtual_time = max(self.virtual_time, tag)
        self.given[name] = self.virtual_time + 1 / tenant.limits.weight
        heappush(self._heap, self._place(name, self.given[name]))

    def has_nothing(self) -> None:
        """The next one has no run that can be begun."""
        heappop(self._heap)
