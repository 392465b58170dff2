"""Many workers, runs and faults on a virtual clock, over the very statements of the queue."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcage.host.durable.queue.records import Taken, Wanted
from flowcage.host.durable.sql.queue.take import Take
from flowcage.host.durable.sql.writes import Create
from tests.simulation.scripts import Traffic, made
from tests.simulation.world import Plan, Simulation

_ALIKE = Traffic(tenants=6, pools=0, sleeps=0.0, later=0.0, agent_ms=5_000)
_FAIR = Plan(runs=300, runs_a_second=20.0, traffic=_ALIKE, upgrades=False, is_fair=True)
_SHARES = st.sampled_from((0.0, 0.1))
_HOUR_MS = 3_600_000


def simulated(plan: Plan) -> Simulation:
    simulation = Simulation(plan)
    simulation.run()
    return simulation


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    traffic = Traffic(draw(st.integers(1, 9)), draw(st.integers(0, 3)), poisoned=draw(_SHARES))
    often = st.sampled_from((0.0, 10.0, 100.0))
    return Plan(
        seed=draw(st.integers(0, 2**32)),
        workers=draw(st.integers(1, 12)),
        slots=draw(st.integers(1, 4)),
        runs=80,
        runs_a_second=draw(st.sampled_from((0.2, 1.0, 20.0))),
        traffic=traffic,
        per_hour=draw(often),
        restarts_per_hour=draw(often),
        upgrades=draw(st.booleans()),
    )


@settings(max_examples=10, deadline=None)
@given(plans())
def test_the_promises_hold_whatever_goes_wrong(plan: Plan) -> None:
    simulation = simulated(plan)

    assert sum(simulation.truth.ended.values()) == 80


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 8), per_hour=st.sampled_from((0.0, 50.0)))
def test_tenants_that_wait_have_turns_by_their_weights(seed: int, workers: int, per_hour: float) -> None:
    simulated(_FAIR._replace(seed=seed, workers=workers, per_hour=per_hour))


def test_clocks_that_are_an_hour_off_lose_no_run() -> None:
    simulation = simulated(Plan(skew_ms=_HOUR_MS, runs=150))

    assert sum(simulation.truth.ended.values()) == 150


def test_a_simulation_has_everything_that_may_go_wrong() -> None:
    plan = Plan(1, runs=200, traffic=Traffic(poisoned=0.05), per_hour=100.0, restarts_per_hour=30.0)
    simulation = simulated(plan)

    kinds = {"cut off", "killed", "lock lost", "machine lost", "server restarted", "stopped"}
    assert set(simulation.faults) == kinds
    assert simulation.refused
    assert simulation.truth.taken_over
    assert simulation.truth.ended["quarantined"]
    assert {"Take", "Reap", "Append", "FallAsleep", "GiveAnswer", "Leave", "Charge"} <= set(
        simulation.ground.writes
    )
    assert simulated(plan).told() == simulation.told()


def test_a_backlog_of_one_tenant_delays_another_by_one_turn() -> None:
    simulation, slots = Simulation(_FAIR), 10
    one, now = made(0, _ALIKE, simulation.events.now).run, simulation.events.now
    simulation.ground.join("w0-1", now)
    for number in range(2000):
        run = one._replace(run_id=f"r{number + 1}", tenant="t1")
        simulation.ground.write("", now, Create(run, True))
    begun: list[Taken] = simulation.ground.write("w0-1", now, Take(Wanted(slots)))
    simulation.ground.write("", now, Create(one._replace(tenant="t2"), True))
    later: list[Taken] = simulation.ground.write("w0-1", now, Take(Wanted(slots)))

    assert [each.tenant for each in begun + later].index("t2") in (slots, slots + 1)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(4))
def test_a_large_one(seed: int) -> None:
    simulated(Plan(seed, workers=200, runs=10_000, runs_a_second=20.0, traffic=Traffic(tenants=30)))
