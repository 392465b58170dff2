"""Faults that the simulation has to find: each is put into the queue, and a promise must break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from heapq import heapify
from typing import Any

import pytest

from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.durable.queue.turns import Tenant, Turns
from flowcage.host.durable.sql import life, writes
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.queue import lanes, reap, state, take
from tests.simulation.scripts import Traffic
from tests.simulation.world import Plan, Simulation

_SEEDS = range(12)
# Runs that take long, of few tenants, on workers that are cut off for long: what is lost is taken again soon.
_HARSH = Plan(
    workers=5, runs=150, runs_a_second=1.0, traffic=Traffic(tenants=4, poisoned=0.1), per_hour=100.0,
    restarts_per_hour=30.0, patience_ms=600_000,
)  # fmt: skip
_BUSY = _HARSH._replace(runs_a_second=100.0, traffic=Traffic(7, agent_ms=1_000, sleeps=0.0))
# A worker that was given up finds its own run again when it is back, and the old life goes on beside the new.
_TWICE = _HARSH._replace(
    workers=2, slots=4, runs=60, runs_a_second=10.0, per_hour=60.0, traffic=Traffic(2, 0, agent_ms=90_000)
)
_FAIR = _BUSY._replace(
    traffic=Traffic(tenants=6, pools=0, sleeps=0.0, later=0.0), upgrades=False, is_fair=True
)

Mutate = Callable[[pytest.MonkeyPatch], None]


def _without_epoch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writes, "_GUARD", writes._GUARD.replace("AND epoch = ?", "AND ? > 0"))


def _without_owner(patch: pytest.MonkeyPatch) -> None:
    def anybody(scope: Scope, run_id: str, epoch: int) -> None:
        del scope, run_id, epoch

    for module in (writes, life):
        patch.setattr(module, "require_owner", anybody)


def _everybody_is_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reap, "is_dead", lambda scope, owner: owner != scope.owner)


def _no_grace(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Simulation, "is_graceful", False)


def _tag_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "keep_turns", lambda *_: None)


def _absence_is_credit(patch: pytest.MonkeyPatch) -> None:
    whole = Turns.took

    def took(self: Turns) -> None:
        tag, _, name = self._heap[0]
        whole(self)
        self.given[name] = tag + 1 / self._tenants[name].limits.weight
        tags = self.tags | self.given
        self._heap = [self._place(each, tags.get(each, 0.0)) for *_, each in self._heap]
        heapify(self._heap)

    patch.setattr(Turns, "took", took)
    patch.setattr(Turns, "_place", lambda _, name, tag: (tag, tag, name))


def _weights_forgotten(patch: pytest.MonkeyPatch) -> None:
    whole = Turns.took

    def took(self: Turns) -> None:
        tenant = self.next()
        assert tenant is not None
        tenant.limits = tenant.limits._replace(weight=1.0)
        whole(self)

    patch.setattr(Turns, "took", took)


def _no_quotas(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tenant, "refusal", "")


def _without(quota: str) -> Mutate:
    def mutate(patch: pytest.MonkeyPatch) -> None:
        whole = state.tenants

        def tenants(*args: Any) -> dict[str, Tenant]:
            found = whole(*args)
            for tenant in found.values():
                tenant.limits = TurnLimits(**{**tenant.limits._asdict(), quota: None})
            return found

        patch.setattr(state, "tenants", tenants)

    return mutate


def _use_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "keep_used", lambda *_: None)


def _takeovers(most: int) -> Mutate:
    return lambda patch: patch.setattr(reap, "MOST_TAKEOVERS", most)


def _suspects_together(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(take._Suspects, "admit", lambda _self, _run: True)
    patch.setattr(take, "suspects_of", lambda db, _owner: db.execute("SELECT 1 WHERE FALSE"))


def _any_mark(patch: pytest.MonkeyPatch) -> None:
    whole = lanes.lanes_of
    patch.setattr(take, "lanes_of", lambda pool, marks: whole(pool, ("v1", "v2", *marks)))


def _any_pool(patch: pytest.MonkeyPatch) -> None:
    whole = take._lanes
    patch.setattr(take, "_lanes", lambda wanted: whole(replace(wanted, pools=("", "p0", "p1"))))


def _never_due(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(take, "what_is_due", lambda db, _now: db.execute("SELECT 1 WHERE FALSE"))


def _always_due(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lanes, "_DUE", lanes._DUE.replace("wake_at <= ?", "wake_at >= 0 AND ? > 0"))


MUTANTS: dict[str, tuple[Mutate, Plan]] = {
    "an append without the epoch": (_without_epoch, _TWICE),
    "sleep and end without the owner": (_without_owner, _HARSH),
    "everybody else is dead": (_everybody_is_dead, _HARSH),
    "workers judged at once after a restart of the server": (_no_grace, _HARSH),
    "tags not kept": (_tag_forgotten, _FAIR),
    "absence gathers credit": (_absence_is_credit, _FAIR._replace(runs_a_second=3.0, workers=3)),
    "all weights alike": (_weights_forgotten, _FAIR),
    "no quotas": (_no_quotas, _BUSY),
    "no quota of runs at once": (_without("max_runs"), _BUSY),
    "no quota of runs a minute": (_without("runs_per_minute"), _BUSY),
    "no quota of CPU": (_without("cpu_seconds_per_minute"), _BUSY),
    "what was used not kept": (_use_forgotten, _BUSY),
    "quarantined after two": (_takeovers(2), _HARSH),
    "quarantined after four": (_takeovers(4), _HARSH),
    "several suspects on one worker": (
        _suspects_together,
        _HARSH._replace(slots=4, traffic=Traffic(poisoned=0.5)),
    ),
    "taken by who cannot replay it": (_any_mark, _HARSH),
    "taken for another pool": (_any_pool, _HARSH),
    "sleepers never wake": (_never_due, _HARSH),
    "sleepers wake at once": (_always_due, _HARSH),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_of_the_queue_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate, plan = MUTANTS[name]
    mutate(monkeypatch)

    assert any(_is_found(plan._replace(seed=seed)) for seed in _SEEDS)


def _is_found(plan: Plan) -> bool:
    try:
        Simulation(plan).run()
    except AssertionError:
        return True
    return False
