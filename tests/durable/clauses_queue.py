"""What workers take of the queue, and in which order: clauses of the contract of a store."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import Unstorable
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.queue.records import TurnLimits, Wanted
from flowcage.host.durable.records import Filter
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.run.core.inputs import Answered

from .contract import clause
from .places import Clock, Place, host, new
from .queued import ended, queued, taken

MINUTE_MS = 60_000


# ---- what is taken ---------------------------------------------------------------------------


@clause
async def a_run_of_the_queue_is_taken_once(place: Place) -> None:
    names: list[str] = []

    async def take(store: SqlStore) -> None:
        for each in await store.take(Wanted(7)):
            assert (each.epoch, each.tenant) == (1, each.run_id[0])
            names.append(each.run_id)

    async with host(place) as one, host(place) as two, host(place) as three:
        wanted = [f"{tenant}{number}" for tenant in "ab" for number in range(10)]
        await queued(one, *wanted)
        async with trio.open_nursery() as nursery:
            for store in (one, two, three) * 2:
                nursery.start_soon(take, store)
        assert sorted(names) == wanted
        assert await taken(one) == []
        for store in (one, two, three):
            for each in await store.runs(Filter(states=("running",))):
                assert await store.claim(each.run_id) is None


@clause
async def a_worker_takes_from_its_pools_alone(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        await queued(one, "a1", pool="gpu\0")
        await queued(one, "a2", pool=None)
        assert await two.next_in_queue(Wanted(1)) is None
        assert await taken(two) == []
        assert await two.claimable() == [("a2", "queued")]
        assert await two.next_in_queue(Wanted(1, ("gpu\0",))) == 0
        assert await taken(two, pools=("", "gpu\0")) == ["a1"]
        assert (await two.get("a1")).pool == "gpu\0"
        with pytest.raises(Unstorable):
            await one.create(new("a3", pool="p" * 257), queued=True)
        with pytest.raises(Unstorable):
            await one.create(new("a3", priority=1_000_001), queued=True)


@clause
async def a_worker_takes_from_all_of_its_pools_alike(place: Place) -> None:
    async with host(place) as store:
        await queued(store, *(f"a{number}" for number in range(6)))
        await queued(store, *(f"b{number}" for number in range(6)), pool="gpu")
        both = await taken(store, 4, pools=("", "gpu"))
        assert sorted(run_id[0] for run_id in both) == ["a", "a", "b", "b"]
        one_by_one = [await taken(store, 1, pools=("", "gpu")) for _ in range(4)]
        assert sorted(run_id[0] for (run_id,) in one_by_one) == ["a", "a", "b", "b"]


@clause
async def a_run_is_not_taken_before_its_time(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        await queued(store, "a1", not_before=clock.now + 20)
        await queued(store, "a2", not_before=clock.now + 10)
        assert (await store.get("a1")).wake_at == clock.now + 20
        assert await taken(store) == []
        assert await store.next_in_queue(Wanted(1)) == clock.now + 10
        assert await store.next_due() is None
        clock.now += 10
        assert await taken(store) == ["a2"]
        assert await store.next_in_queue(Wanted(1)) == clock.now + 10
        clock.now += 10
        assert await taken(store) == ["a1"]
        assert await store.next_in_queue(Wanted(1)) is None


@clause
async def what_sleeps_is_taken_when_there_is_something_to_do(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as one, host(place, StoreOptions(clock=clock)) as two:
        await queued(one, "a1", "a2", "a3", "a4")
        for run_id in await taken(one):
            assert await one.sleep(run_id, 1, clock.now + 10 if run_id == "a1" else None) is True
        assert await taken(two) == []
        await one.answer("a2", Answered("1", "x"))
        await one.cancel("a3")
        assert await two.next_in_queue(Wanted(1)) == 0
        assert await taken(two) == ["a2", "a3"]
        clock.now += 10
        assert await two.claimable() == []
        assert [(each.run_id, each.epoch) for each in await two.take(Wanted(5))] == [("a1", 2)]
        assert (await two.get("a4")).state == "asleep"


# ---- whose turn it is ------------------------------------------------------------------------


@clause
async def tenants_have_turns_however_much_one_has_queued(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        await queued(one, *(f"a{number}" for number in range(30)))
        assert await taken(one, 3) == ["a0", "a1", "a2"]
        await queued(two, "b0", "b1", "c0")
        order = [(await taken(store, 1))[0][0] for store in (one, two) * 3]
        assert sorted(order[:3]) == ["a", "b", "c"]
        assert sorted(order[3:5]) == ["a", "b"]
        assert order[5] == "a"


@clause
async def each_of_very_many_tenants_has_its_turn(place: Place) -> None:
    async with host(place) as store:
        names = [f"{number:03d}" for number in range(300)]
        for name in names:
            created = [store.create(new(f"{name}-{n}", name, pool=""), queued=True) for n in range(4)]
        assert (await created[-1]).is_new
        turns = [each.tenant for _ in range(10) for each in await store.take(Wanted(50))]
        assert len(turns) == 500
        assert min(map(turns.count, names)) == 1


@clause
async def a_tenant_with_the_empty_name_has_turns_beside_others(place: Place) -> None:
    async with host(place) as store:
        for name in ("", "a"):
            await store.create(new(f"of-{name}", name, pool=""), queued=True)
        assert sorted(await taken(store)) == ["of-", "of-a"]


@clause
async def turns_follow_weights_and_absence_is_no_credit(place: Place) -> None:
    def limits(tenant: str) -> TurnLimits:
        return TurnLimits(weight=3.0 if tenant == "a" else 1.0)

    async with host(place) as store:
        await queued(store, *(f"a{number}" for number in range(30)), *(f"b{number}" for number in range(30)))
        first = [run_id[0] for run_id in await taken(store, 16, limits=limits)]
        assert (first.count("a"), first.count("b")) == (12, 4)
        await queued(store, *(f"c{number}" for number in range(20)))
        second = [run_id[0] for run_id in await taken(store, 10, limits=limits)]
        assert (second.count("a"), second.count("b"), second.count("c")) == (6, 2, 2)


@clause
async def within_a_tenant_priority_goes_before_age(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        for run_id, priority in (("a-low", -1), ("a-old", 0), ("a-new", 0), ("a-high", 5)):
            await queued(store, run_id, priority=priority)
            clock.now += 1
        assert await taken(store) == ["a-high", "a-old", "a-new", "a-low"]


@clause
async def quotas_hold_over_all_workers(place: Place) -> None:
    clock = Clock()
    options = StoreOptions(clock=clock)
    async with host(place, options) as one, host(place, options) as two:
        await queued(one, *(f"a{number}" for number in range(9)), "b0")

        def most(runs: int) -> Any:
            return lambda tenant: TurnLimits(max_runs=runs) if tenant == "a" else TurnLimits()

        assert await taken(one, limits=most(2)) == ["a0", "b0", "a1"]
        assert await taken(two, limits=most(2)) == []
        await ended(one, "a0")
        assert await taken(two, limits=most(2)) == ["a2"]
        assert await two.sleep("a2", 1, clock.now) is True  # what sleeps is not at work
        assert await taken(one, limits=most(2)) == ["a2"]


@clause
async def rates_hold_over_all_workers(place: Place) -> None:
    clock = Clock()
    options = StoreOptions(clock=clock)
    async with host(place, options) as one, host(place, options) as two:
        await queued(one, *(f"a{number}" for number in range(9)))

        def rate(_tenant: str) -> TurnLimits:
            return TurnLimits(runs_per_minute=2, cpu_seconds_per_minute=60)

        assert await taken(one, limits=rate) == ["a0", "a1"]
        clock.now += MINUTE_MS // 2 - 1
        assert await taken(two, limits=rate) == []
        clock.now += 1
        assert await taken(two, limits=rate) == ["a2"]
        await one.charge("a", 180.0)
        clock.now += 2 * MINUTE_MS - 1
        assert await taken(two, limits=rate) == []
        clock.now += 1
        assert await taken(two, limits=rate) == ["a3", "a4"]


@clause
async def what_a_run_has_used_counts_however_long_it_was_at_work(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        await queued(store, "a0", "a1")

        def rate(_tenant: str) -> TurnLimits:
            return TurnLimits(cpu_seconds_per_minute=60)

        assert await taken(store, 1, limits=rate) == ["a0"]
        clock.now += 10 * MINUTE_MS
        assert await store.reap() == []
        await ended(store, "a0")
        await store.charge("a", 180.0)
        assert await taken(store, limits=rate) == []
        clock.now += 2 * MINUTE_MS
        assert await taken(store, limits=rate) == ["a1"]


@clause
async def a_tenant_that_has_spent_its_money_gets_no_turn(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        await queued(store, "a0", "a1", "b0")

        def ceiling(tenant: str) -> TurnLimits:
            return TurnLimits(max_cost_usd=1.0 if tenant == "a" else None)

        assert await taken(store, 1, limits=ceiling) == ["a0"]
        await store.charge("a", 0.0, 0.6)
        await store.charge("a", 0.0, 0.4)
        clock.now += 1000 * MINUTE_MS
        assert await store.reap() == []
        assert await taken(store, limits=ceiling) == ["b0"]
