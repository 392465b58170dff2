"""What each tenant may have, and what is remembered of one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flowcage.host.outcome.quota import Quota
from flowcage.host.tenants.token_bucket import TokenBucket
from flowcage.protocol.limits import MAX_LIMIT

MAX_NAME_LENGTH = 256
# Beyond this ratio one tenant's turn would count for nothing beside another's.
MIN_WEIGHT, MAX_WEIGHT = 0.001, 1000.0
# With less there would be no telling when to come back.
MIN_CPU_SECONDS = 0.001


@dataclass(frozen=True)
class TenantLimits:
    """What one tenant may use of the host. All limits are finite by default.

    Attributes:
        max_runs: runs at once; further ones wait.
        max_queued: runs that may wait for their turn; 0 refuses whatever cannot start at once.
        max_agents: agents at work at once, over all runs of the tenant.
        runs_per_minute: runs admitted; a tenant that was quiet for a minute may start that many in one burst.
        cpu_seconds_per_minute: user and system CPU of children. It is known when a run has ended, so runs
            that already started may overdraw it; then nothing more starts until the debt is worked off.
        weight: the tenant's share of turns beside others that wait too, from `MIN_WEIGHT` to `MAX_WEIGHT`;
            one of weight 2 gets two turns for each turn of one of weight 1.
    """

    max_runs: int = 100
    max_queued: int = 1_000
    max_agents: int = 1_000
    runs_per_minute: int = 6_000
    cpu_seconds_per_minute: float = 60.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("max_runs", 1), ("max_queued", 0), ("max_agents", 1), ("runs_per_minute", 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= MAX_LIMIT:
                raise ValueError(f"{name} must be a whole number from {least} to {MAX_LIMIT}, not {value!r}")
        if not MIN_CPU_SECONDS <= (seconds := self.cpu_seconds_per_minute) <= MAX_LIMIT:
            raise ValueError(
                f"cpu_seconds_per_minute must be from {MIN_CPU_SECONDS:g} to {MAX_LIMIT}, not {seconds!r}"
            )
        if not MIN_WEIGHT <= self.weight <= MAX_WEIGHT:
            raise ValueError(f"weight must be from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}, not {self.weight!r}")


@dataclass(frozen=True)
class Tally:
    """What became of runs so far.

    Attributes:
        running, queued: now.
        admitted: all that were not refused: those that run, wait, ended or were withdrawn.
        withdrawn: gave up before their turn.
        refused: by quota.
        cpu_seconds: of children of ended runs.
        waited_seconds: all the time spent in the queue by runs that have left it.
    """

    running: int
    queued: int
    admitted: int
    withdrawn: int
    refused: Mapping[Quota, int]
    cpu_seconds: float
    waited_seconds: float


@dataclass(eq=False, slots=True)
class Counts:
    """A `Tally` in the making."""

    running: int = 0
    queued: int = 0
    admitted: int = 0
    withdrawn: int = 0
    refused: dict[Quota, int] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0

    def snapshot(self) -> Tally:
        """What it says now."""
        return Tally(
            self.running,
            self.queued,
            self.admitted,
            self.withdrawn,
            MappingProxyType(dict(self.refused)),
            round(self.cpu_seconds, 6),
            round(self.waited_seconds, 6),
        )


class Durations:
    """Moving average of how long runs take, in seconds; None before the first has ended."""

    __slots__ = ("average",)

    _NEWEST_COUNTS = 0.1

    def __init__(self) -> None:
        self.average: float | None = None

    def add(self, seconds: float) -> None:
        """One run has ended."""
        if self.average is None:
            self.average = seconds
        self.average += self._NEWEST_COUNTS * (seconds - self.average)


class Tenant:
    """What the host remembers of one tenant.

    Attributes:
        start_tag: the virtual time at which its next run may start, at the earliest.
        held: its CPU is overdrawn; its queue stands still.
        idle_since: when it last had a run, running or waiting; None while it has one.
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
        """Nothing of its own stands in the way of its next run."""
        return not self.held and self.counts.running < self.limits.max_runs


@dataclass(eq=False, slots=True)
class Place:
    """One run's place in the queue, and then its slot.

    Attributes:
        entered_at, started_at: in the caller's time, seconds; None before its turn.
    """

    tenant: Tenant
    entered_at: float
    started_at: float | None = None
