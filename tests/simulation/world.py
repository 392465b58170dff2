"""Workers, runs that are handed in, and what goes wrong, all drawn from one seed."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random
from typing import NamedTuple

from flowcage.host.durable.errors import RunHasEnded, UnknownRun
from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.durable.sql.outside import GiveAnswer
from flowcage.host.durable.sql.queue.reap import Reap
from flowcage.host.durable.sql.upkeep.removal import Prune
from flowcage.host.durable.sql.writes import Create
from tests.simulation.events import Events
from tests.simulation.fairness import Fairness
from tests.simulation.ground import Ground
from tests.simulation.scripts import Script, Traffic, made, number_of, script
from tests.simulation.truth import Truth, Violated, require
from tests.simulation.workers import Worker

_BEGINS_AT = 1_000_000_000
_PRUNED_AT_ONCE = 100
_HOUR_MS = 3_600_000
MARKS = (("v1",), ("v2", "v1"))


class Plan(NamedTuple):
    """A simulation.

    Attributes:
        runs_a_second: that are handed in.
        per_hour: how often each worker is killed, loses its machine, is stopped, is cut off.
        restarts_per_hour: of the server.
        reaps_ms: between two looks for the dead, over all workers.
        grace_ms: after a restart of the server nobody is judged.
        skew_ms: how far clocks of workers are off, at most.
        upgrades: whether workers that are started anew are of the next version.
        storm_ms: how long things go wrong after the last run was handed in.
        patience_ms: how long after that everything must be over.
        runs_per_minute, cpu_per_minute: quotas of some tenants.
        is_fair: whether no tenant has quotas, so that turns can be compared.
    """

    seed: int = 0
    workers: int = 10
    slots: int = 2
    runs: int = 200
    runs_a_second: float = 2.0
    traffic: Traffic = Traffic()
    per_hour: float = 20.0
    restarts_per_hour: float = 4.0
    reaps_ms: int = 500
    grace_ms: int = 5_000
    poll_ms: int = 5_000
    skew_ms: int = 0
    upgrades: bool = True
    storm_ms: int = 600_000
    patience_ms: int = 3 * _HOUR_MS
    runs_per_minute: float = 5.0
    cpu_per_minute: float = 2.0
    is_fair: bool = False


class Simulation:
    """One of a plan."""

    is_graceful = True

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.events = Events(_BEGINS_AT)
        self.ground = Ground(_BEGINS_AT)
        fairness = Fairness(lambda tenant: self.limits(tenant).weight) if plan.is_fair else None
        self.truth = Truth(self.limits, self._lives, fairness, is_exact=not plan.skew_ms)
        self._drawn = Random(f"world {plan.seed}")
        self._limits: dict[str, TurnLimits] = {}
        self._judged_from = 0
        self._last_at: int | None = None
        self.made = self._pruned = 0
        self.faults: Counter[str] = Counter()
        self.refused = 0
        self._is_calm = False
        every_pool = tuple(f"p{number}" for number in range(plan.traffic.pools))
        self._workers = [
            self._worker(number, ("", *(every_pool if number % 3 == 0 else ())))
            for number in range(plan.workers)
        ]

    def _worker(self, number: int, pools: tuple[str, ...]) -> Worker:
        plan, drawn = self.plan, self._drawn
        skew_ms = drawn.randint(-plan.skew_ms, plan.skew_ms)
        marks = MARKS[drawn.randrange(2)] if plan.upgrades else MARKS[0]
        poll_ms = drawn.randint(plan.poll_ms // 2, plan.poll_ms)
        return Worker(self, number, pools, plan.slots, marks, poll_ms, skew_ms)

    # ---- what workers ask of it --------------------------------------------------------------

    def limits(self, tenant: str) -> TurnLimits:
        """Of a tenant."""
        if tenant not in self._limits:
            self._limits[tenant] = self._limits_of(tenant)
        return self._limits[tenant]

    def _limits_of(self, tenant: str) -> TurnLimits:
        """Weights differ, and every third tenant has a quota of another kind."""
        number, plan = int(tenant[1:]), self.plan
        weight = 1.0 + number % 3
        if number % 3 or plan.is_fair:
            return TurnLimits(weight=weight)
        if number % 9 == 0:
            return TurnLimits(max(1, plan.workers * plan.slots // 4))
        if number % 9 == 3:
            return TurnLimits(runs_per_minute=plan.runs_per_minute)
        return TurnLimits(cpu_seconds_per_minute=plan.cpu_per_minute)

    def script(self, run_id: str) -> Script:
        return script(number_of(run_id), self.plan.traffic)

    def is_ended(self, run_id: str) -> None:  # noqa: ARG002 - the store knows which
        self._pruned += 1
        if self._pruned % _PRUNED_AT_ONCE == 0:
            self.ground.write("", self.events.now, Prune(self.events.now, None))

    def waits_for_a_person(self, run_id: str, request: str, takes_ms: int) -> None:
        self.events.after(takes_ms, partial(self._answer, run_id, request))

    def _answer(self, run_id: str, request: str) -> None:
        try:
            self.ground.write("", self.events.now, GiveAnswer(run_id, request, b"yes"))
        except (RunHasEnded, UnknownRun):
            require(run_id not in self.truth.runs, run_id, "took no answer")
        else:
            if run_id in self.truth.runs and self.truth.runs[run_id].owner is None:
                self.truth.runs[run_id].queued_at = self.events.now
        self.news()

    def news(self) -> None:
        """One of those that wait hears of it; the others would find nothing, or look by themselves."""
        worker = self._drawn.choice(self._workers)
        if worker.is_idle:
            self.events.after(self._drawn.randint(1, 5), worker.look)

    # ---- what happens ------------------------------------------------------------------------

    def run(self) -> None:
        """Until everything is over."""
        self.begin()
        while not self.is_over:
            self.step()
        self.truth.at_rest(self.made)

    def begin(self) -> None:
        """Put everything into its place."""
        for worker in self._workers:
            self.events.after(self._drawn.randint(0, 1000), worker.start)
            self._next_fault(worker)
        self.events.after(self.plan.reaps_ms, self._reap)
        self._next_restart()
        self._hand_in()

    @property
    def is_over(self) -> bool:
        """Whether all runs were handed in and have ended."""
        return self._last_at is not None and not self.truth.runs

    def step(self) -> None:
        """Let one thing happen."""
        require(self.events.next(), "nothing happens any more")
        if self._last_at is None:
            return
        passed_ms = self.events.now - self._last_at
        self._is_calm = passed_ms > self.plan.storm_ms
        if passed_ms > self.plan.storm_ms + self.plan.patience_ms:
            raise Violated(f"runs do not end, such as {list(self.truth.runs.items())[:2]}")

    def hand_in_no_more(self) -> None:
        """What was handed in is all."""
        self._last_at = self._last_at or self.events.now

    def _hand_in(self) -> None:
        if self._last_at is not None:
            return
        one = made(self.made, self.plan.traffic, self.events.now)
        self.made += 1
        self.truth.created(one.run.run_id, one.tenant, one.pool, one.run.not_before or self.events.now)
        self.ground.write("", self.events.now, Create(one.run, True))
        self.news()
        if self.made == self.plan.runs:
            self.hand_in_no_more()
        else:
            self.events.after(1000 * self._drawn.expovariate(self.plan.runs_a_second), self._hand_in)

    def _reap(self) -> None:
        alive = [worker for worker in self._workers if worker.may_judge]
        if alive and self.events.now >= self._judged_from:
            looks = self._drawn.choice(alive)
            for run_id in self.ground.write(looks.owner, self.events.now, Reap()):
                self._reaped(run_id)
        self.events.after(self.plan.reaps_ms, self._reap)

    def _reaped(self, run_id: str) -> None:
        is_over = self.truth.reaped(run_id, self.events.now)
        ((state, verdict),) = self.ground.ask("SELECT state, verdict FROM runs WHERE run_id = ?", run_id)
        there = ("ended", "quarantined") if is_over else ("queued", None)
        require((state, verdict) == there, run_id, "was reaped and is", state, verdict, "instead of", there)

    def _lives(self, owner: str) -> bool:
        """Whether a worker lives, and has a session or may be back with one after a restart of the server."""
        worker = self._workers[int(owner[1:].partition("-")[0])]
        return worker.owner == owner and worker.is_up and not worker.is_lost

    # ---- what goes wrong ---------------------------------------------------------------------

    def _next_fault(self, worker: Worker) -> None:
        if self.plan.per_hour:
            pause = _HOUR_MS * self._drawn.expovariate(self.plan.per_hour)
            self.events.after(pause, partial(self._fault, worker))

    def _fault(self, worker: Worker) -> None:
        if self._is_calm:
            return
        self._next_fault(worker)
        if not worker.is_up or worker.is_cut:
            return
        drawn = self._drawn
        kind = drawn.choice(("killed", "machine lost", "stopped", "cut off", "lock lost"))
        self.faults[kind] += 1
        back_ms = drawn.randrange(1_000, 120_000)
        if kind in ("killed", "machine lost"):
            worker.dies(0 if kind == "killed" else 25_000)
            if self.plan.upgrades:
                worker.marks = MARKS[1]
            self.events.after(back_ms, partial(self._started, worker))
            return
        if kind == "lock lost":
            worker.loses_session()
            self.events.after(drawn.randrange(10_000), partial(self._back, worker, worker.owner))
            return
        worker.is_cut_off(has_one_underway=kind == "cut off" and drawn.random() < 0.5)
        if kind == "cut off" and back_ms > 25_000:  # the server gives the connection up
            self.events.after(25_000, partial(self._given_up, worker, worker.owner))
        self.events.after(back_ms, partial(self._back, worker, worker.owner))

    def _started(self, worker: Worker) -> None:
        if not worker.is_up:
            worker.start()

    def _given_up(self, worker: Worker, owner: str) -> None:
        if worker.owner == owner and worker.is_cut:
            worker.loses_session()

    def _back(self, worker: Worker, owner: str) -> None:
        if worker.is_up and worker.owner == owner:
            worker.is_back()

    def _next_restart(self) -> None:
        if self.plan.restarts_per_hour:
            pause = _HOUR_MS * self._drawn.expovariate(self.plan.restarts_per_hour)
            self.events.after(pause, self._restart)

    def _restart(self) -> None:
        """All sessions are gone, and come again one after the other, before anybody is judged."""
        if self._is_calm:
            return
        self._next_restart()
        self.faults["server restarted"] += 1
        self._judged_from = self.events.now + self.plan.grace_ms * self.is_graceful
        self.ground.sessions.clear()
        for worker in self._workers:
            if worker.is_up and worker.is_cut:
                worker.loses_session()
            elif worker.is_up:
                worker.is_cut_off()
                back_ms = self._drawn.randrange(int(0.9 * self.plan.grace_ms) or 1)
                self.events.after(back_ms, partial(self._back, worker, worker.owner))

    def told(self) -> str:
        """What there was, in lines."""
        truth, hours = self.truth, (self.events.now - _BEGINS_AT) / _HOUR_MS
        befell = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.faults.items()))
        wrote = ", ".join(f"{count:,} {kind}" for kind, count in self.ground.writes.most_common())
        ended = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(truth.ended.items()))
        return "\n".join(
            (
                f"{self.plan.workers:,} workers, {self.made:,} runs, {hours:.1f} hours",
                f"faults: {befell}",
                f"{truth.taken_over:,} takeovers; {self.refused:,} writes by former owners refused",
                f"ended: {ended}; longest wait for a turn {truth.longest_wait_ms / 1000:,.0f} s",
                f"writes: {wrote}",
            )
        )
