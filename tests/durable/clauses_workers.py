"""Who goes on with a run of the queue, and what is seen of it: clauses of the contract of a store."""

from __future__ import annotations

from functools import partial

import pytest
import trio
import trio.testing

from flowcage.host.durable.errors import Fenced
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.queue.records import Schedule, Wanted, WorkerInfo
from flowcage.host.durable.records import Ending, Filter
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.run.core.inputs import Answered, Lived, Turn
from flowcage.host.run.core.rules import Rules

from . import places
from .contract import clause, journal_of
from .places import Clock, Place, host, new, other_host, written
from .queued import queued, taken

# ---- who can go on with it -------------------------------------------------------------------


@clause
async def a_run_that_has_begun_is_taken_by_what_can_replay_it(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        await queued(one, "a1", "a2")
        assert await taken(one, marks=("old",)) == ["a1", "a2"]
        await written(journal_of(one, "a1"), Turn(""))
        assert (await one.get("a1")).made_by == "old"
        for run_id in ("a1", "a2"):
            await one.release(run_id, 1)
        assert await taken(two, marks=("new",)) == ["a2"]  # nothing of it was written
        assert await two.next_in_queue(Wanted(1, marks=("new",))) is None
        assert await taken(two, marks=("newer", "old")) == ["a1"]
        await two.release("a1", 2)
        assert (await one.get("a1")).made_by == "newer"  # the old one cannot replay what this one wrote
        assert await taken(one, marks=("old",)) == []


@clause
async def rules_change_before_anything_has_happened_and_by_the_owner(place: Place) -> None:
    async with host(place) as store:
        await queued(store, "a1")
        with pytest.raises(Fenced):
            await store.hold_to("a1", 0, Rules(max_agents=1))
        assert await taken(store) == ["a1"]
        assert await store.hold_to("a1", 1, Rules(max_agents=2)) is True
        assert (await store.load("a1")).rules == Rules(max_agents=2)
        await written(journal_of(store, "a1"), Turn(""))
        assert await store.hold_to("a1", 1, Rules(max_agents=3)) is False
        assert (await store.load("a1")).rules == Rules(max_agents=2)


@clause
async def a_run_that_is_put_back_says_why(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        await queued(store, "a1")
        assert await taken(store) == ["a1"]
        await store.put_back("a1", 1, "no agent \0", clock.now + 10)
        summary = await store.get("a1")
        assert (summary.state, summary.held, summary.wake_at) == ("queued", "no agent \0", clock.now + 10)
        assert [each.run_id for each in await store.runs(Filter(held=True))] == ["a1"]
        assert await taken(store) == []
        clock.now += 10
        assert await taken(store) == ["a1"]
        assert await store.runs(Filter(held=True, states=("queued",))) == []
        assert (await store.get("a1")).held == ""
        with pytest.raises(Fenced):
            await store.put_back("a1", 1)


@clause
async def a_run_that_is_tried_again_is_counted(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        await queued(store, "a1")
        assert await taken(store) == ["a1"]
        await store.try_again("a1", 1, "no credit", clock.now + 10)
        summary = await store.get("a1")
        assert (summary.state, summary.held, summary.tries) == ("queued", "no credit", 1)
        clock.now += 10
        assert await taken(store) == ["a1"]
        await store.put_back("a1", 2)
        assert (await store.get("a1")).tries == 1  # that is no try
        assert await taken(store) == ["a1"]
        await store.end("a1", 3, Ending("crashed"))
        assert await store.claim("a1", reopen=True) == 4
        assert (await store.get("a1")).tries == 0  # somebody wants it to be gone on with
        with pytest.raises(Fenced):
            await store.try_again("a1", 1, "", clock.now)


@clause
async def a_run_that_nobody_can_replay_says_so(place: Place) -> None:
    async with host(place) as old, host(place) as new_one:
        await queued(old, "a1", "a2")
        assert await taken(old, marks=("old",)) == ["a1", "a2"]
        for run_id in ("a1", "a2"):
            await written(journal_of(old, run_id), Turn(""))
            await old.release(run_id, 1)
        await new_one.describe(WorkerInfo("w", ("",), 1, "new", "2.0", ("new",)))
        await old.reap()
        assert [each.held for each in await old.runs(Filter(held=True))] == [
            "no worker can replay it: it was begun with old; start a worker of that version"
        ] * 2
        worker = WorkerInfo("w", ("",), 1, "old", "1.0", ("old",))
        await old.describe(worker._replace(is_draining=True))
        await old.reap()
        assert (await old.get("a1")).held != ""
        await old.describe(worker)
        await old.reap()
        assert (await old.get("a1")).held == ""


# ---- the dead --------------------------------------------------------------------------------


@clause
async def runs_of_dead_workers_go_back_into_the_queue(place: Place) -> None:
    program = """
from flowcage.host.durable.queue.records import Wanted
print([each.run_id for each in await store.take(Wanted(1))], flush=True)
import trio
await trio.sleep_forever()
"""
    async with host(place) as store:
        await queued(store, "a1")
        with other_host(place, program) as process:
            assert process.stdout is not None
            assert await trio.to_thread.run_sync(process.stdout.readline) == "['a1']\n"
            assert await store.reap() == []
            process.kill()
            process.wait(places.DEADLINE_S)
            assert await reaped(store) == ["a1"]
        assert await store.claimable() == []
        summary = await store.get("a1")
        assert (summary.state, summary.owner, summary.takeovers) == ("queued", None, 1)
        assert [(each.run_id, each.epoch) for each in await store.take(Wanted(1))] == [("a1", 2)]


async def reaped(store: SqlStore) -> list[str]:
    """A server is told of the death of a client a little later."""
    with trio.fail_after(places.DEADLINE_S):
        while not (found := await store.reap()):  # noqa: ASYNC110
            await trio.sleep(0.01)
        return found


@clause
async def what_ends_its_workers_is_quarantined(place: Place) -> None:
    async with host(place) as store:
        await queued(store, "a1", "a2")
        for life in range(3):
            async with host(place) as dying:
                assert await taken(dying) == ["a1", "a2"]
                await written(journal_of(dying, "a1", life + 1, life), Answered("1", life))
                await written(journal_of(dying, "a2", life + 1, 2 * life), Turn(""), Lived(1.0))
            assert sorted(await reaped(store)) == ["a1", "a2"]
        assert (await store.get("a1")).takeovers == 1  # it gets on
        record = await store.load("a2")
        assert (record.summary.state, record.summary.verdict) == ("ended", "quarantined")
        assert record.ending is not None
        assert isinstance(record.ending.error, dict)
        assert "3 workers died" in record.ending.error["message"]
        assert await taken(store) == ["a1"]
        assert await store.claim("a2", reopen=True) == 4
        assert (await store.get("a2")).takeovers == 0


@clause
async def of_the_suspects_one_only_goes_with_a_worker(place: Place) -> None:
    """Those that were beside the run that ends its workers are not quarantined with it."""
    async with host(place) as store:
        suspects = {"a1", "a2", "b1"}
        await queued(store, *suspects)
        for _ in range(2):
            async with host(place) as dying:
                assert set(await taken(dying)) == suspects
            await reaped(store)
        await queued(store, "a4", "a5")
        async with host(place) as dying:
            first, *others = sorted(await taken(dying), key=lambda run_id: run_id not in suspects)
            assert others == ["a4", "a5"]
            assert await taken(dying) == []
            [second] = await taken(store)
            assert {first, second} < suspects
        await reaped(store)
        assert (await store.get(first)).verdict == "quarantined"
        assert sorted(await taken(store)) == ["a4", "a5"]
        epoch = (await store.get(second)).epoch
        await written(journal_of(store, second, epoch, 0), Answered("1", "x"))  # it ends no worker
        assert set(await taken(store)) == suspects - {first, second}


# ---- what is seen of it ----------------------------------------------------------------------


@clause
async def workers_and_what_waits_are_seen(place: Place) -> None:
    clock = Clock()
    options = StoreOptions(clock=clock)
    info = WorkerInfo("w\0", ("", "gpu"), 4, "m", "1.0", ("m", "l"))
    async with host(place, options) as one, host(place, options) as two:
        assert await two.workers() == []
        await one.describe(info)
        await queued(two, "a1", "a2")
        await queued(two, "a3", not_before=clock.now + 1)
        await queued(two, "b1", pool="gpu")
        await queued(two, "b2", pool=None)
        assert await taken(one, 1) == ["a1"]
        found = await two.workers()
        assert len(found) == 1
        worker = found[0]
        assert worker[:2] == (one.owner, info)
        assert worker[3:] == (True, 1)
        assert await two.depths() == [
            ("", "a", 1, 1, 0, 1, 0, clock.now),
            ("gpu", "b", 1, 0, 0, 0, 0, clock.now),
        ]
        clock.now += 1  # no worker has looked since
        assert (await two.depths())[0] == ("", "a", 2, 0, 0, 1, 0, clock.now - 1)
        await one.put_back("a1", 1, "why")
        await one.describe(None)
        assert await two.workers() == []
        assert [each.held for each in await two.depths()] == [1, 0]


@clause
async def workers_are_told_of_what_is_queued(place: Place) -> None:
    async with host(place) as worker, host(place) as other:
        await worker.describe(WorkerInfo("w", ("gpu",), 1, "", ""))
        for tell in (
            lambda: other.create(new("a1", pool="gpu"), queued=True),
            lambda: worker.put_back("a1", 1),
            lambda: worker.release("a1", 2),
        ):
            with trio.move_on_after(0):
                await worker.news(of_queue=True)
            with trio.fail_after(places.DEADLINE_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(partial(worker.news, of_queue=True))
                    await trio.testing.wait_all_tasks_blocked()
                    await tell()
            assert await taken(worker, pools=("gpu",)) == ["a1"]


@clause
async def a_schedule_fires_once_for_each_time(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        plan = Schedule("night\0", "0 3 * * *", "a", 10, {"source": "x" * 100_000})
        assert await one.put_schedule(plan._replace(what=None)) is True
        assert await one.put_schedule(plan) is False
        assert await two.schedules() == [plan]
        assert (await two.schedules(9), await two.schedules(10)) == ([], [plan])
        assert await two.next_in_queue(Wanted(1)) == 10
        made = []

        async def fire(store: SqlStore, run_id: str) -> None:
            run = new(run_id, "a", pool="", start_key="night@10")
            if (created := await store.fire("night\0", 10, 20, run)) is not None:
                made.append(created)

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(fire, (one, two)[number % 2], f"a{number}")
        assert [each.is_new for each in made] == [True]
        assert await taken(one) == [made[0].run_id]
        assert await two.schedules() == [plan._replace(next_at=20, last_at=10, last_run=made[0].run_id)]
        assert (await two.remove_schedule("night\0"), await one.remove_schedule("night\0")) == (True, False)
        assert await one.fire("night\0", 20, 30, new("a9", pool="")) is None
        assert await one.schedules() == []
