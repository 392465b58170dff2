"""What the queue of a store is asked for and tells: plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flowcage.protocol.messages import Json

# Takeovers from dead owners, without anything in between that got it on, after which a run is quarantined.
MOST_TAKEOVERS = 3


class TurnLimits(NamedTuple):
    """What one tenant may use of all workers together. None has no limit.

    Attributes:
        max_runs: runs at once.
        runs_per_minute: turns, those of runs that wake too; a minute's worth may come at once.
        cpu_seconds_per_minute: as they are charged, so it may be overdrawn; then it waits until that is paid.
        max_cost_usd: of all that was ever charged; then it gets no more turns.
        weight: share of turns beside others that wait.
    """

    max_runs: int | None = None
    runs_per_minute: float | None = None
    cpu_seconds_per_minute: float | None = None
    max_cost_usd: float | None = None
    weight: float = 1.0


def no_limits(_tenant: str) -> TurnLimits:
    """Every tenant is alike and has no quota."""
    return TurnLimits()


@dataclass(frozen=True)
class Wanted:
    """What a worker can begin now.

    Attributes:
        count: free slots.
        pools: that it takes from; "" is the usual one. Its store begins with another one each time.
        marks: what it can replay. The first is what it writes itself: a run that it takes gets this mark.
        limits: of a tenant; called in the committing thread, so it must be quick, and ask nobody.
    """

    count: int
    pools: Sequence[str] = ("",)
    marks: Sequence[str] = ("",)
    limits: Callable[[str], TurnLimits] = no_limits


class Taken(NamedTuple):
    """A run that is this host's now, as by a claim."""

    run_id: str
    epoch: int
    tenant: str


class WorkerInfo(NamedTuple):
    """What a worker tells of itself.

    Attributes:
        name: for people; the store knows it by its owner's name.
        slots: runs at once.
        mark: as the first of `Wanted.marks`; `marks` are all.
        version: of flowcage.
        is_draining: it takes nothing more.
    """

    name: str
    pools: tuple[str, ...]
    slots: int
    mark: str
    version: str
    marks: tuple[str, ...] = ()
    is_draining: bool = False


class WorkerState(NamedTuple):
    """A worker as others see it.

    Attributes:
        since: when it opened the store, in milliseconds since 1970.
        running: runs that it has.
    """

    owner: str
    info: WorkerInfo
    since: int
    is_alive: bool
    running: int


class Depth(NamedTuple):
    """How much one tenant has in one pool.

    Attributes:
        waiting: runs that a worker could begin now, but for quotas.
        later: queued ones whose time has not come.
        held: those of `waiting` that say why no worker takes them.
        oldest_at: when the oldest of `waiting` was made.
    """

    pool: str
    tenant: str
    waiting: int
    later: int
    held: int
    running: int
    asleep: int
    oldest_at: int | None


class Schedule(NamedTuple):
    """Something to be begun again and again.

    Attributes:
        name: unique in the store.
        cron: when, in the words of cron.
        next_at: when it is due.
        what: what is needed to begin it, such as source, args and options; stored as a payload.
        problem: why `what` cannot be read, and is None; "" where it can.
        last_at, last_run: of its last firing.
    """

    name: str
    cron: str
    tenant: str
    next_at: int
    what: Json
    problem: str = ""
    last_at: int | None = None
    last_run: str | None = None
