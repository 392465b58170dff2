"""The limits of a tenant, and the state that `FairQueue` has of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flowcage.host.outcome.quota import Quota
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.tenants.token_bucket import TokenBucket
from flowcage.protocol.limits import MAX_LIMIT

# With a larger ratio than a million the lighter tenant would practically never get a turn.
MIN_WEIGHT, MAX_WEIGHT = 0.001, 1000.0
# CPU debts are paid back at this rate; at 0 they never would be.
MIN_CPU_SECONDS = 0.001


def require_number(name: str, value: object) -> None:
    """Raise ValueError, which names the argument, unless it is a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value!r:.80}")


def require_whole(name: str, value: object, least: int) -> None:
    """Raise ValueError, which names the argument, unless it is a whole number that a limit can have."""
    if type(value) is not int or not least <= value <= MAX_LIMIT:
        raise ValueError(f"{name} must be a whole number from {least} to {MAX_LIMIT}, not {value!r}")


@dataclass(frozen=True)
class TenantLimits:
    """What one tenant may use of the host. All limits are finite by default.

    Attributes:
        max_runs: runs at once; further ones wait.
        max_queued: runs that may wait for their turn; with 0 a run that cannot start at once is refused.
        max_agents: agents at work at once, over all runs of the tenant.
        runs_per_minute: runs admitted; after a minute without runs a tenant may start that many in one burst.
        cpu_seconds_per_minute: user and system CPU of children. It is known when a run has ended, so runs
            that have started may overdraw it; then no further run starts until the debt is paid back.
        max_cost_usd: what its agents may cost, in US dollars, over all of its runs in this host. Then, or
            once an answer has come whose cost nobody knows, ``agent()`` is refused. None for no ceiling.
        weight: the tenant's share of turns beside others that wait too, from `MIN_WEIGHT` to `MAX_WEIGHT`;
            a tenant of weight 2 gets two turns for each turn of one of weight 1.

    Raises:
        ValueError: a limit is out of range or not whole; the message names it.
    """

    max_runs: int = 100
    max_queued: int = 1_000
    max_agents: int = 1_000
    runs_per_minute: int = 6_000
    cpu_seconds_per_minute: float = 60.0
    weight: float = 1.0
    max_cost_usd: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("max_runs", 1), ("max_queued", 0), ("max_agents", 1), ("runs_per_minute", 1)):
            require_whole(name, getattr(self, name), least)
        for name in ("cpu_seconds_per_minute", "weight"):
            require_number(name, getattr(self, name))
        if not MIN_CPU_SECONDS <= (seconds := self.cpu_seconds_per_minute) <= MAX_LIMIT:
            raise ValueError(
                f"cpu_seconds_per_minute must be from {MIN_CPU_SECONDS:g} to {MAX_LIMIT}, not {seconds!r}"
            )
        if not MIN_WEIGHT <= self.weight <= MAX_WEIGHT:
            raise ValueError(f"weight must be from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}, not {self.weight!r}")
        if (most := self.max_cost_usd) is not None:
            require_number("max_cost_usd", most)
            if not 0 < most <= MAX_LIMIT:
                raise ValueError(f"max_cost_usd must be above 0 and at most {MAX_LIMIT}, not {most!r}")


@dataclass(frozen=True)
class Tally:
    """Counts of runs, of the host or of one tenant.

    Attributes:
        running, queued: now.
        admitted: runs that were not refused: those that run, wait, have ended or were withdrawn.
        withdrawn: runs that were cancelled before they began.
        refused: runs refused, by quota.
        cpu_seconds: of children of runs that have ended.
        waited_seconds: the sum of the times that runs spent in the queue.
        ended: runs that have ended, by verdict; those that were cancelled, too.
    """

    running: int
    queued: int
    admitted: int
    withdrawn: int
    refused: Mapping[Quota, int]
    cpu_seconds: float
    waited_seconds: float
    ended: Mapping[Verdict, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Counts:
    """Counts up a `Tally`."""

    running: int = 0
    queued: int = 0
    admitted: int = 0
    withdrawn: int = 0
    refused: dict[Quota, int] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0
    ended: dict[Verdict, int] = field(default_factory=dict)

    def snapshot(self) -> Tally:
        """The counts now."""
        return Tally(
            self.running,
            self.queued,
            self.admitted,
            self.withdrawn,
            MappingProxyType(dict(self.refused)),
            round(self.cpu_seconds, 6),
            round(self.waited_seconds, 6),
            MappingProxyType(dict(self.ended)),
        )


class Durations:
    """Exponential moving average of the durations of runs.

    Attributes:
        average: seconds; None before the first run has ended.
    """

    __slots__ = ("average",)

    _SHARE_OF_NEWEST = 0.1

    def __init__(self) -> None:
        self.average: float | None = None

    def add(self, seconds: float) -> None:
        """Add the duration of a run that has ended."""
        if self.average is None:
            self.average = seconds
        self.average += self._SHARE_OF_NEWEST * (seconds - self.average)


class Tenant:
    """The state of one tenant in the queue.

    Attributes:
        counts, durations: of its runs.
        runs, cpu: what is left of its rates.
        queue: its waiting runs, the oldest first.
        start_tag: the earliest virtual time at which its next run may start.
        held: its CPU is overdrawn, and none of its runs may start.
        idle_since: when its last run left; None while it has one, running or waiting.
    """

    __slots__ = (
        "counts",
        "cpu",
        "durations",
        "held",
        "idle_since",
        "limits",
        "name",
        "queue",
        "runs",
        "start_tag",
    )

    def __init__(self, name: str, limits: TenantLimits, now: float) -> None:
        self.name = name
        self.limits = limits
        self.counts = Counts()
        self.durations = Durations()
        self.runs = TokenBucket(limits.runs_per_minute, now)
        self.cpu = TokenBucket(limits.cpu_seconds_per_minute, now)
        self.queue: OrderedDict[Place, None] = OrderedDict()  # a cancelled waiter leaves from the middle
        self.start_tag = 0.0
        self.held = False
        self.idle_since: float | None = None

    @property
    def may_start(self) -> bool:
        """Whether the tenant's own limits allow one more run to start."""
        return not self.held and self.counts.running < self.limits.max_runs


@dataclass(eq=False, slots=True)
class Place:
    """One run's place in the queue, and then its slot.

    Attributes:
        entered_at: seconds, on the clock of the queue's caller.
        started_at: likewise, when the place became a slot; None before.
    """

    tenant: Tenant
    entered_at: float
    started_at: float | None = None
