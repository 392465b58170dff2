"""What must hold of a queue and its runs, known without reading the store: commits are told to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from flowcage.host.durable.queue.records import MOST_TAKEOVERS, TurnLimits
from tests.simulation.fairness import Fairness

_MINUTE_MS = 60_000
_ROUNDING = 1e-3


class Violated(AssertionError):
    """A promise that was broken."""


def require(holds: bool, *words: object) -> None:
    """Raise `Violated` with these words where something does not hold."""
    if not holds:
        raise Violated(" ".join(map(str, words)))


@dataclass(slots=True)
class Known:
    """A run that has not ended."""

    tenant: str
    pool: str
    made_at: int
    owner: str | None = None
    epoch: int = 0
    entries: int = 0
    mark: str = ""
    takeovers: int = 0
    progress: int = 0
    queued_at: int = 0
    is_compared: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether the next death of its worker is the last."""
        return self.takeovers >= MOST_TAKEOVERS - 1 and self.entries <= self.progress


@dataclass(slots=True)
class Bill:
    """What a tenant has used."""

    at: int
    runs: float = 0.0
    cpu_seconds: float = 0.0
    cost_usd: float = 0.0

    def until(self, now: int, limits: TurnLimits) -> None:
        """Let flow off what does."""
        minutes, self.at = (now - self.at) / _MINUTE_MS, now
        self.runs = max(0.0, self.runs - (limits.runs_per_minute or 0.0) * minutes)
        self.cpu_seconds = max(0.0, self.cpu_seconds - (limits.cpu_seconds_per_minute or 0.0) * minutes)


@dataclass
class Truth:
    """Everything that was committed, and the promises about it.

    Attributes:
        limits: of a tenant.
        is_alive: whether a worker lives, and has lost its session to nothing but a restart of the server.
        fairness: is told of what waits; None where not all workers take the same.
        is_exact: whether all clocks show the same.
        runs: that have not ended.
        ended: how often each verdict.
        suspects: the last one that each worker was given.
        taken_over: how often a run was taken from a dead owner.
        longest_wait_ms: of a run in the queue.
    """

    limits: Callable[[str], TurnLimits]
    is_alive: Callable[[str], bool]
    fairness: Fairness | None = None
    is_exact: bool = True
    runs: dict[str, Known] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    bills: dict[str, Bill] = field(default_factory=dict)
    suspects: dict[str, str] = field(default_factory=dict)
    taken_over: int = 0
    longest_wait_ms: int = 0

    def created(self, run_id: str, tenant: str, pool: str, now: int) -> None:
        require(run_id not in self.runs, run_id, "was made twice")
        self.runs[run_id] = Known(tenant, pool, now, queued_at=now)
        self._waits(self.runs[run_id])

    def _waits(self, run: Known) -> None:
        run.is_compared = not run.is_suspect  # not every worker may take one that is
        if self.fairness is not None and run.is_compared:
            self.fairness.waits(run.tenant)

    def taken(
        self, run_id: str, epoch: int, owner: str, pools: tuple[str, ...], marks: tuple[str, ...], now: int
    ) -> None:
        """A worker was given a run."""
        require(run_id in self.runs, run_id, "was taken and is over")
        run = self.runs[run_id]
        require(run.owner is None, run_id, "was taken from", run.owner)
        require(epoch > run.epoch, run_id, "was given epoch", epoch, "again")
        require(run.pool in pools, run_id, "of pool", run.pool, "was taken for", pools)
        require(run.mark in ("", *marks), run_id, "of mark", run.mark, "was taken for", marks)
        early = self.is_exact and now < run.queued_at
        require(not early, run_id, "was taken at", now, "and has to wait until", run.queued_at)
        self._within_quotas(run.tenant, now)
        if self.fairness is not None:
            self.fairness.taken(run.tenant, is_compared=run.is_compared)
        self._alone(run_id, run, owner)
        run.owner, run.epoch, run.mark = owner, epoch, marks[0]
        self.running[run.tenant] += 1
        self.turns[run.tenant] += 1
        self.longest_wait_ms = max(self.longest_wait_ms, now - run.queued_at)

    def _alone(self, run_id: str, run: Known, owner: str) -> None:
        """A worker has one suspect at most."""
        if run.is_suspect:
            other = self.runs.get(self.suspects.get(owner, ""))
            beside = other is not None and other.owner == owner and other.is_suspect
            require(not beside, owner, "was given", run_id, "and has", self.suspects.get(owner))
            self.suspects[owner] = run_id

    def _within_quotas(self, tenant: str, now: int) -> None:
        if not self.is_exact:
            return
        limits, bill = self.limits(tenant), self.bill(tenant, now)
        most = limits.max_runs
        require(most is None or self.running[tenant] < most, tenant, "has more runs than", most)
        rate = limits.runs_per_minute
        require(rate is None or bill.runs + 1 <= rate + _ROUNDING, tenant, "has more than", rate, "a minute")
        cpu = limits.cpu_seconds_per_minute
        require(cpu is None or bill.cpu_seconds <= cpu + _ROUNDING, tenant, "has used more CPU than", cpu)
        cost = limits.max_cost_usd
        require(cost is None or bill.cost_usd < cost + _ROUNDING, tenant, "has spent", cost)
        bill.runs += 1

    def bill(self, tenant: str, now: int) -> Bill:
        """What a tenant has used by now."""
        bill = self.bills.setdefault(tenant, Bill(now))
        bill.until(now, self.limits(tenant))
        return bill

    def wrote(self, run_id: str, owner: str, epoch: int) -> Known:
        """A write of a run's owner was committed."""
        require(run_id in self.runs, run_id, "was written to and is over")
        run = self.runs[run_id]
        require((run.owner, run.epoch) == (owner, epoch), run_id, "is", run.owner, "'s, and", owner, "wrote")
        return run

    def appended(self, run_id: str, owner: str, epoch: int, seq: int, count: int) -> None:
        run = self.wrote(run_id, owner, epoch)
        require(run.entries == seq, run_id, "has", run.entries, "entries, and", seq, "was the next")
        run.entries += count

    def asked(self, run_id: str, owner: str, epoch: int, seq: int, *, is_late: bool) -> None:
        """A worker has begun what a run asked for.

        Args:
            run_id, owner, epoch, seq: of the life.
            is_late: whether it could learn of the commit only when it was connected again.
        """
        run = self.runs.get(run_id)
        if run is None or (run.owner, run.epoch) != (owner, epoch):
            require(is_late, owner, "began something for", run_id, "which is not its run")
            return
        require(run.entries == seq, run_id, "asks again for", seq, "and has", run.entries, "entries")

    def left(self, run_id: str, owner: str, epoch: int, now: int) -> None:
        """Its owner has put it back, or to sleep."""
        run = self.wrote(run_id, owner, epoch)
        self._without_owner(run, now)

    def _without_owner(self, run: Known, now: int) -> None:
        self.running[run.tenant] -= 1
        run.owner, run.queued_at = None, now
        if run.entries == 0:
            run.mark = ""

    def ends(self, run_id: str, owner: str, epoch: int, verdict: str) -> None:
        """Its owner has ended it."""
        run = self.wrote(run_id, owner, epoch)
        self.running[run.tenant] -= 1
        self._over(run_id, verdict)

    def _over(self, run_id: str, verdict: str) -> None:
        del self.runs[run_id]
        self.ended[verdict] += 1

    def reaped(self, run_id: str, now: int) -> bool:
        """A run was taken from its owner: whether it must be in quarantine now."""
        require(run_id in self.runs, run_id, "was reaped and is over")
        run = self.runs[run_id]
        require(run.owner is not None, run_id, "was reaped and is nobody's")
        assert run.owner is not None
        require(not self.is_alive(run.owner), run_id, "was reaped from", run.owner, "who lives")
        if run.entries > run.progress:
            run.takeovers, run.progress = 0, run.entries
        run.takeovers += 1
        self.taken_over += 1
        self._without_owner(run, now)
        if run.takeovers < MOST_TAKEOVERS:
            self._waits(run)
            return False
        self._over(run_id, "quarantined")
        return True

    def at_rest(self, made: int) -> None:
        """Everything is over."""
        require(not self.runs, len(self.runs), "runs never ended, such as", *list(self.runs.items())[:2])
        require(sum(self.ended.values()) == made, made, "runs were made and", dict(self.ended), "ended")
        require(not any(self.running.values()), "somebody still runs")
