"""Whose turn it is, as a table: tenants, what they have used, and the order that follows."""

from __future__ import annotations

import pytest

from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.durable.queue.turns import Tenant, Turns, Used

ALIKE = TurnLimits()
MINUTE_MS = 60_000


def order(turns: Turns, count: int, runs: dict[str, int] | None = None) -> str:
    """The names of those whose turn it is, each of which has so many runs."""
    left = dict(runs or {})
    found = ""
    while len(found) < count and (tenant := turns.next()) is not None:
        if runs is not None and not left[tenant.name]:
            turns.has_nothing()
            continue
        turns.took()
        left[tenant.name] = left.get(tenant.name, 0) - 1
        found += tenant.name
    return found


def tenants(limits: dict[str, TurnLimits], used: Used | None = None, running: int = 0) -> list[Tenant]:
    return [Tenant(name, each, used or Used(0), running) for name, each in limits.items()]


@pytest.mark.parametrize(
    ("weights", "tags", "virtual_time", "wanted"),
    [
        ({"a": 1}, {}, 0, "aaa"),
        ({"a": 1, "b": 1}, {}, 0, "ababab"),
        ({"a": 2, "b": 1}, {}, 0, "abaaba"),
        ({"a": 1, "b": 2}, {}, 0, "abbabb"),
        ({"a": 1, "b": 1}, {"a": 7}, 5, "bbaba"),
        ({"a": 1, "b": 1}, {"a": 100, "b": 3}, 100, "baabab"),  # an absence is no credit
        ({"a": 1, "b": 1, "c": 1}, {"a": 11, "b": 11}, 10, "cabcabc"),
        ({"a": 0.5, "b": 1}, {}, 0, "abbabb"),
    ],
)
def test_turns_follow_tags_and_weights(
    weights: dict[str, float], tags: dict[str, float], virtual_time: float, wanted: str
) -> None:
    waiting = tenants({name: TurnLimits(weight=weight) for name, weight in weights.items()})
    turns = Turns(virtual_time, tags, waiting)
    assert order(turns, len(wanted)) == wanted
    assert turns.virtual_time >= virtual_time
    assert turns.given.keys() == set(wanted)


def test_turns_that_are_given_one_by_one_are_those_that_are_given_at_once() -> None:
    weights = {"a": TurnLimits(weight=3), "b": ALIKE, "c": TurnLimits(weight=0.5)}
    at_once = order(Turns(0, {}, tenants(weights)), 40)
    virtual_time, tags, one_by_one = 0.0, dict[str, float](), ""
    for _ in at_once:
        turns = Turns(virtual_time, tags, tenants(weights))
        one_by_one += order(turns, 1)
        virtual_time, tags = turns.virtual_time, tags | turns.given
    assert one_by_one == at_once
    shares = {"a": 40 * 6 / 9, "b": 40 * 2 / 9, "c": 40 * 1 / 9}
    assert all(abs(at_once.count(name) - share) <= 1 for name, share in shares.items())


def test_one_that_comes_late_has_its_turn_next() -> None:
    turns = Turns(0, {}, tenants({"a": ALIKE}))
    order(turns, 10_000)
    assert order(Turns(turns.virtual_time, turns.given, tenants({"a": ALIKE, "b": ALIKE})), 3) == "bab"


def test_whoever_has_no_more_runs_takes_no_turn() -> None:
    turns = Turns(0, {}, tenants({"a": ALIKE, "b": ALIKE}))
    assert order(turns, 9, {"a": 1, "b": 4}) == "abbbb"
    assert (turns.next(), len(turns)) == (None, 0)


@pytest.mark.parametrize(
    ("limits", "used", "running", "most", "why"),
    [
        (TurnLimits(max_runs=3), Used(0), 1, 2, "has 3 runs at work, of at most 3"),
        (TurnLimits(max_runs=3), Used(0), 4, 0, "has 4 runs at work"),
        (TurnLimits(runs_per_minute=3), Used(0, runs=1), 9, 2, "3 runs a minute"),
        (TurnLimits(runs_per_minute=3), Used(0, runs=2.5), 0, 0, "3 runs a minute"),
        (TurnLimits(runs_per_minute=3), Used(0, runs=2 + 1e-9), 0, 1, "3 runs a minute"),
        (TurnLimits(cpu_seconds_per_minute=5), Used(0, cpu_seconds=5), 0, 9, ""),
        (TurnLimits(cpu_seconds_per_minute=5), Used(0, cpu_seconds=5.1), 0, 0, "5 CPU seconds a minute"),
        (TurnLimits(max_cost_usd=2), Used(0, cost_usd=1.9), 0, 9, ""),
        (TurnLimits(max_cost_usd=2), Used(0, cost_usd=2.0), 0, 0, "spent its 2 US dollars"),
        (ALIKE, Used(0, 10**6, None, 10**6, None, 10**6), 10**6, 9, ""),
    ],
)
def test_a_quota_that_is_used_up_gives_no_turn(
    limits: TurnLimits, used: Used, running: int, most: int, why: str
) -> None:
    [tenant] = waiting = tenants({"a": limits}, used, running)
    assert order(Turns(0, {}, waiting), 9) == "a" * most
    assert why in tenant.refusal
    assert bool(why) == bool(tenant.refusal)


def test_pools_share_what_a_tenant_may_use() -> None:
    waiting = tenants({"a": TurnLimits(max_runs=2)})
    one, two = Turns(0, {}, waiting), Turns(50, {}, waiting)
    assert order(one, 1) + order(two, 1) == "aa"
    assert (one.next(), two.next()) == (None, None)


@pytest.mark.parametrize(
    ("minutes", "runs", "cpu"),
    [(0, 6, 90), (0.5, 3, 60), (1, 0, 30), (1.5, 0, 0), (9, 0, 0), (-1, 6, 90), (-5, 6, 90)],
)
def test_runs_and_cpu_flow_off_by_their_rates(minutes: float, runs: float, cpu: float) -> None:
    used = Used(10 * MINUTE_MS, 6, 6, 90, 60, 3.0)
    used.advance(int((10 + minutes) * MINUTE_MS))
    assert (used.runs, used.cpu_seconds, used.cost_usd) == (runs, cpu, 3.0)
    assert used.at == (max(10, 10 + minutes) if minutes > -2 else 10 + minutes) * MINUTE_MS


def test_what_is_charged_counts_from_then_on() -> None:
    used = Used(0, cpu_rate=60)
    used.charge(30, 0.5, 60 * MINUTE_MS)
    assert (used.cpu_seconds, used.cost_usd, used.at) == (30, 0.5, 60 * MINUTE_MS)
    without = Used(0)
    without.charge(30, 0.5, MINUTE_MS)
    assert (without.cpu_seconds, without.cost_usd) == (0, 0.5)
