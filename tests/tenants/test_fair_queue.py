"""Whose turn it is: floods, weights, and that nobody gathers credit by staying away."""

from __future__ import annotations

from collections import Counter

import pytest

from flowcage.host.tenants.fair_queue import FairQueue
from flowcage.host.tenants.tenant import Place, TenantLimits

MANY = TenantLimits(max_runs=1_000, max_queued=10_000, runs_per_minute=1_000_000)


def backlog(fair: FairQueue, name: str, count: int) -> None:
    for _ in range(count):
        fair.enter(name, 0.0, room=True)


def started(fair: FairQueue, running: list[Place]) -> list[str]:
    """Fill the free slots; returns whose runs started."""
    names = []
    while place := fair.start_next(0.0):
        running.append(place)
        names.append(place.tenant.name)
    return names


def shares(weights: dict[str, float], turns: int) -> Counter[str]:
    """Whose turns they are when everybody has work all the time on one slot."""
    fair = FairQueue(1, 100_000, lambda name: TenantLimits(1_000, 10_000, 1, 1_000_000, weight=weights[name]))
    for name in weights:
        backlog(fair, name, turns)
    seen: Counter[str] = Counter()
    running: list[Place] = []
    for _ in range(turns):
        seen.update(started(fair, running))
        fair.finish(running.pop(), 0.0)
    return seen


@pytest.mark.parametrize("slots", [1, 2, 16])
def test_ten_thousand_queued_runs_delay_another_tenants_by_no_more_than_one_per_slot(slots: int) -> None:
    fair = FairQueue(slots, 30_000, lambda _name: MANY)
    backlog(fair, "flood", 10_000)
    running: list[Place] = []
    started(fair, running)
    for _ in range(1_000):
        fair.finish(running.pop(0), 0.0)
        started(fair, running)
    for late in range(5):
        place = fair.enter("late", 0.0, room=True)
        fair.finish(running.pop(0), 0.0)
        assert started(fair, running) == ["late"], f"run {late} of the other tenant had to wait"
        running.remove(place)
        fair.finish(place, 0.0)
        started(fair, running)


def test_two_with_much_to_do_take_turns() -> None:
    fair = FairQueue(1, 30_000, lambda _name: MANY)
    backlog(fair, "a", 10_000)
    backlog(fair, "b", 10)
    running: list[Place] = []
    order = []
    for _ in range(20):
        order += started(fair, running)
        fair.finish(running.pop(), 0.0)
    assert order == ["a", "b"] * 10


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": 2.0, "b": 1.0}, {"a": 2_000, "b": 1_000}),
        ({"a": 1.0, "b": 1.0, "c": 4.0}, {"a": 500, "b": 500, "c": 2_000}),
        ({"a": 0.5, "b": 0.25}, {"a": 2_000, "b": 1_000}),
    ],
)
def test_turns_are_shared_by_weight(weights: dict[str, float], expected: dict[str, int]) -> None:
    seen = shares(weights, 3_000)
    assert all(abs(seen[name] - turns) <= 2 for name, turns in expected.items()), seen


def test_a_tenant_that_was_idle_has_gathered_no_credit() -> None:
    fair = FairQueue(1, 30_000, lambda _name: MANY)
    backlog(fair, "sleeper", 1)
    running: list[Place] = []
    started(fair, running)
    backlog(fair, "busy", 5_000)
    for _ in range(2_000):
        fair.finish(running.pop(), 0.0)
        started(fair, running)
    backlog(fair, "sleeper", 100)
    order = []
    for _ in range(100):
        fair.finish(running.pop(), 0.0)
        order += started(fair, running)
    assert Counter(order) == {"sleeper": 50, "busy": 50}


def test_a_tenant_that_was_at_its_cap_has_gathered_no_credit() -> None:
    fair = FairQueue(3, 30_000, lambda name: TenantLimits(1 if name == "capped" else 3, 10_000, 1, 1_000_000))
    backlog(fair, "capped", 500)
    running: list[Place] = []
    started(fair, running)
    long = running.pop()
    backlog(fair, "other", 2_000)
    started(fair, running)
    for _ in range(1_000):
        fair.finish(running.pop(0), 0.0)
        started(fair, running)
    backlog(fair, "newcomer", 1)
    fair.finish(running.pop(0), 0.0)
    fair.finish(long, 0.0)
    assert sorted(started(fair, running)) == ["capped", "newcomer"]


def test_those_that_come_back_are_served_in_the_order_they_came_beside_newcomers() -> None:
    fair = FairQueue(1, 30_000, lambda _name: MANY)
    running: list[Place] = []
    backlog(fair, "old", 1)
    started(fair, running)
    backlog(fair, "busy", 100)
    for _ in range(50):
        fair.finish(running.pop(), 0.0)
        started(fair, running)
    backlog(fair, "old", 1)
    backlog(fair, "new", 1)
    order = []
    for _ in range(2):
        fair.finish(running.pop(), 0.0)
        order += started(fair, running)
    assert order == ["old", "new"]


def test_a_run_withdrawn_at_its_turn_costs_its_tenant_no_turn() -> None:
    fair = FairQueue(2, 30_000, lambda _name: MANY)
    running: list[Place] = []
    backlog(fair, "long", 1)
    started(fair, running)
    place = fair.enter("a", 0.0, room=True)
    assert fair.start_next(0.0) is place
    backlog(fair, "other", 1)
    fair.withdraw(place, 0.0)
    started(fair, running)
    backlog(fair, "a", 1)
    backlog(fair, "new", 1)
    fair.finish(running.pop(), 0.0)
    assert started(fair, running) == ["a"]


def test_once_nobody_is_there_nobody_owes_a_turn() -> None:
    fair = FairQueue(1, 30_000, lambda _name: MANY)
    running: list[Place] = []
    backlog(fair, "a", 1)
    started(fair, running)
    fair.finish(running.pop(), 0.0)
    backlog(fair, "c", 1)
    started(fair, running)
    backlog(fair, "a", 1)
    backlog(fair, "b", 1)
    fair.finish(running.pop(), 0.0)
    assert started(fair, running) == ["a"]


def test_whoever_comes_again_and_again_keeps_its_place_in_the_order() -> None:
    fair = FairQueue(1, 30_000, lambda name: TenantLimits(weight=0.25 if name == "light" else 1.0))
    backlog(fair, "heavy", 500)
    running: list[Place] = []
    seen: Counter[str] = Counter()
    for _ in range(400):
        if fair.tally("light").queued == 0:  # one run at a time, the next as soon as one began
            fair.enter("light", 0.0, room=True)
        seen.update(started(fair, running))
        fair.finish(running.pop(), 0.0)
    assert 78 <= seen["light"] <= 82, "a fifth of the turns, although it is idle between any two"
