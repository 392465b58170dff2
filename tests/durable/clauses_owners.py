"""Who has a run, and what becomes of it: clauses of the contract of a store."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from flowcage.host.durable.errors import (
    Fenced,
    RunHasEnded,
    UnknownRun,
)
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.run.core.inputs import Answered, Refused, Spent, Turn
from flowcage.protocol.messages import MISSING

from . import places
from .contract import DONE, clause, dead
from .places import Clock, Place, begun, host, new, other_host, workflow, written

# ---- owners ----------------------------------------------------------------------------------


@clause
async def nobody_takes_a_run_from_a_host_that_lives(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        await begun(one, "r")
        assert await two.claim("r") is None
        assert await two.claim("r", reopen=True) is None
        assert await one.claim("r") is None
        assert await two.claimable() == []
        assert (await two.get("r")).owner == one.owner


@clause
async def a_host_that_was_closed_or_killed_leaves_its_runs(place: Place) -> None:
    async with host(place) as one:
        await begun(one, "closed", Turn(""))
    program = (
        "await begun(store, 'killed')\nprint('begun', flush=True)\nimport trio\nawait trio.sleep_forever()"
    )
    with other_host(place, program) as process:
        assert process.stdout is not None
        assert await trio.to_thread.run_sync(process.stdout.readline) == "begun\n"
        async with host(place) as two:
            assert await two.claimable() == [("closed", "abandoned")]
            process.send_signal(signal.SIGSTOP)  # silence is not death
            assert await two.claim("killed") is None
            process.kill()
            process.wait(places.DEADLINE_S)
            await dead(two, 2)
            assert await two.claim("killed") == 2
            assert await two.claim("closed") == 2
            assert [each.input for each in (await two.load("closed")).entries] == [Turn("")]


@clause
async def whoever_has_lost_a_run_writes_nothing_more(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        lost = await begun(one, "r", Turn(""))
        await one.release("r", 1)
        assert await two.claim("r") == 2
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: written(lost, Turn("lost")),
            lambda: one.release("r", 1),
            lambda: one.sleep("r", 1),
            lambda: one.end("r", 1, DONE),
            lambda: one.diverge("r", 1, DONE),
            lambda: one.add_workflow("r", 1, workflow("3")),
            lambda: written(Journal(two, "r", 1, 1), Turn("lost")),
            lambda: written(Journal(one, "r", 2, 1), Turn("lost")),
        ]
        for attempt in attempts:
            with pytest.raises(Fenced) as caught:
                await attempt()
            assert (caught.value.run_id, caught.value.child_alive) == ("r", True)
        await written(Journal(two, "r", 2, 1), Turn("y"))
        record = await two.load("r")
        assert [(each.input, each.epoch) for each in record.entries] == [(Turn(""), 1), (Turn("y"), 2)]


@clause
async def a_run_is_claimed_once(place: Place) -> None:
    claimed: list[int] = []

    async def claim(store: SqlStore) -> None:
        epoch = await store.claim("r")
        if epoch is not None:
            claimed.append(epoch)

    async with host(place) as one, host(place) as two, host(place) as three:
        await one.create(new("r"), queued=True)
        async with trio.open_nursery() as nursery:
            for store in (one, two, three) * 3:
                nursery.start_soon(claim, store)
    assert claimed == [1]


# ---- states ----------------------------------------------------------------------------------


@clause
async def an_end_is_kept_whole(place: Place) -> None:
    async with host(place) as store:
        endings = {
            "a": Ending("completed", {"r": "\ud800\0"}, None, {"tokens": 1}),
            "b": Ending("failed", MISSING, {"message": "m"}),
            "c": Ending("completed", None),
            "d": Ending("completed", "x" * 100_000),
        }
        for run_id, ending in endings.items():
            await begun(store, run_id)
            await store.end(run_id, 1, ending)
            record = await store.load(run_id)
            assert record.ending == ending
            assert (record.summary.state, record.summary.verdict) == ("ended", ending.verdict)
            assert record.summary.owner is None


@clause
async def what_has_ended_is_claimed_to_be_reopened_only(place: Place) -> None:
    async with host(place) as store:
        journal = await begun(store, "ended")
        await store.cancel("ended")
        await store.end("ended", 1, DONE)
        await begun(store, "diverged")
        await store.diverge("diverged", 1, Ending("host_fault", MISSING, {"turn": 3}))
        assert (await store.load("diverged")).ending == Ending("host_fault", MISSING, {"turn": 3})
        for run_id in ("ended", "diverged"):
            assert await store.claim(run_id) is None
            assert await store.claim(run_id, reopen=True) == 2
            summary = await store.get(run_id)
            assert (summary.state, summary.verdict, summary.cancel) == ("running", None, None)
        with pytest.raises(Fenced):
            await written(journal, Turn(""))


@clause
async def a_sleeping_run_is_due_at_its_time(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        for run_id, wake_at in (("a", clock.now + 10), ("b", clock.now + 20), ("c", None)):
            await begun(store, run_id)
            assert await store.sleep(run_id, 1, wake_at) is True
        assert await store.claimable() == []
        assert await store.next_due() == clock.now + 10
        clock.now += 10
        assert await store.claimable() == [("a", "due")]
        clock.now += 10
        assert await store.claimable() == [("a", "due"), ("b", "due")]
        assert await store.claimable(1) == [("a", "due")]
        assert await store.claim("a") == 2
        assert (await store.get("a")).wake_at is None
        assert await store.next_due() == clock.now
        assert await store.claim("b") == 2
        assert await store.next_due() is None
        assert await store.claim("c") == 2  # whoever wants to may go on earlier


@clause
async def what_a_run_has_slept_and_when_it_was_written_is_known(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        began = clock.now
        journal = await begun(store, "r", expires_at=began + 1000)
        for sleeps in (1, 2):
            clock.now += 10
            await written(journal, Turn(str(sleeps)))
            wrote = clock.now
            clock.now += 10
            assert await store.sleep("r", sleeps, clock.now + 10) is True
            clock.now += 10
            assert await store.claim("r") == sleeps + 1
            summary = await store.get("r")
            assert (summary.sleeps, summary.written_at) == (sleeps, wrote)
            assert summary.expires_at == began + 1000
            journal = Journal(store, "r", sleeps + 1, sleeps)
        await begun(store, "new")
        assert (await store.get("new")).written_at == clock.now
        assert await store.sleep("new", 1) is True
        await store.answer("new", Answered("1", "x"))
        assert await store.claim("new") == 2
        assert await store.sleep("new", 2) is False
        assert (await store.get("new")).sleeps == 1  # it has not slept over the answer
        assert store.now() == clock.now


# ---- from outside ----------------------------------------------------------------------------


@clause
async def the_first_answer_wins_and_stays_until_it_is_taken_in(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        journal = await begun(one, "r")
        first, other = Answered("1\0", {"a": "\ud800"}, Spent(3)), Refused("2", "no")
        assert await two.answer("r", first) is True
        assert await two.answer("r", Answered("1\0", "second")) is False
        assert await two.answer("r", other) is True
        waiting = await one.answers("r")
        assert sorted(each.answer for each in waiting) == sorted([first, other])
        assert [each.request for each in waiting] == [each.answer.id for each in waiting]
        journal.expect_outside("1\0")
        await written(journal, first)
        assert [each.answer for each in await one.answers("r")] == [other]
        assert await two.answer("r", Answered("1\0", "third")) is False
        assert [each.answer for each in (await two.load("r")).answers] == [other]


@clause
async def an_answer_is_taken_in_with_its_entry_or_not_at_all(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        lost = await begun(one, "r")
        await one.release("r", 1)
        assert await two.claim("r") == 2
        await two.answer("r", Answered("1", "x"))
        lost.expect_outside("1")
        with pytest.raises(Fenced):
            await written(lost, Answered("1", "x"))
        assert len(await two.answers("r")) == 1


@clause
async def a_run_does_not_fall_asleep_over_what_it_has_not_seen(place: Place) -> None:
    async with host(place) as store:
        journal = await begun(store, "answered")
        await store.answer("answered", Answered("1", "x"))
        assert await store.sleep("answered", 1) is False
        assert (await store.get("answered")).state == "running"
        journal.expect_outside("1")
        await written(journal, Answered("1", "x"))
        assert await store.sleep("answered", 1) is True
        await store.answer("answered", Answered("2", "y"))
        await begun(store, "cancelled")
        assert await store.cancel("cancelled") is True
        assert await store.sleep("cancelled", 1) is False
        await begun(store, "asleep")
        assert await store.sleep("asleep", 1) is True
        assert await store.cancel("asleep", "why\0") is True
        assert await store.cancel("asleep", "again") is False
        assert sorted(await store.claimable()) == [("answered", "answered"), ("asleep", "cancelled")]
        cancel = (await store.get("asleep")).cancel
        assert cancel is not None
        assert cancel.reason == "why\0"


@clause
async def nothing_is_asked_of_a_run_that_is_over_or_unknown(place: Place) -> None:
    async with host(place) as store:
        await begun(store, "r")
        await store.end("r", 1, DONE)
        for run_id, error in (("r", RunHasEnded), ("none", UnknownRun)):
            with pytest.raises(error):
                await store.answer(run_id, Answered("1", "x"))
            with pytest.raises(error):
                await store.cancel(run_id)
        for odd in ("none", "a/b", "\0", "\ud800", "", "x" * 200):
            for read in (store.get, store.load, store.find, store.answers if odd != "none" else store.get):
                with pytest.raises(UnknownRun):
                    await read(odd)
            for ticket in (store.claim(odd), store.cancel(odd), store.delete(odd)):
                with pytest.raises(UnknownRun):
                    await ticket
        await begun(store, "another")


@clause
async def a_host_learns_at_once_what_its_runs_were_given(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        journal = await begun(one, "answered")
        for run_id in ("cancelled", "nothing", "asleep", "ended"):
            await begun(one, run_id)
        await begun(two, "another")
        assert await one.sleep("asleep", 1) is True
        await one.end("ended", 1, Ending("host_shutdown"))
        for run_id in ("answered", "asleep", "ended", "another"):
            for request in ("1", "3/1\0"):
                await two.answer(run_id, Answered(request, "x"))
        for run_id in ("cancelled", "asleep", "another"):
            await two.cancel(run_id, "why\ud800")
        found = {each.run_id: each for each in await one.outside()}
        assert set(found) == {"answered", "cancelled"}
        assert found["answered"].requests == {"1", "3/1\0"}
        assert found["answered"].cancel is None
        assert found["cancelled"].requests == frozenset()
        cancel = found["cancelled"].cancel
        assert cancel is not None
        assert cancel.reason == "why\ud800"
        journal.expect_outside("1")
        await written(journal, Answered("1", "x"))
        journal.discard_outside("3/1\0")
        await journal.flush()
        assert [each.run_id for each in await one.outside()] == ["cancelled"]
        assert (await one.load("answered")).summary.entries == 1
        assert [each.run_id for each in await two.outside()] == ["another"]


@clause
async def a_run_that_was_broken_off_keeps_its_answers(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        await begun(one, "r")
        await two.answer("r", Answered("1", "before"))
        await one.end("r", 1, Ending("host_shutdown"))
        assert await two.answer("r", Answered("2", "after")) is True
        assert await two.answer("r", Answered("1", "again")) is False
        assert await two.claim("r", reopen=True) == 2
        assert {each.request for each in await two.answers("r")} == {"1", "2"}
        await two.cancel("r")
        await two.end("r", 2, Ending("cancelled"))
        with pytest.raises(RunHasEnded):  # by request
            await one.answer("r", Answered("3", "x"))
        summary = await one.get("r")
        assert (summary.state, summary.verdict) == ("ended", "cancelled")
        assert summary.cancel is not None
        await begun(one, "done")
        await two.answer("done", Answered("1", "x"))
        await one.end("done", 1, DONE)
        assert await two.answers("done") == []


@clause
async def hosts_are_told_of_news(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        await begun(one, "r")
        for told, tell in (
            ([one], lambda: two.answer("r", Answered("1", "x"))),
            ([one], lambda: two.cancel("r")),
            ([one, two], lambda: one.create(new("q"), queued=True)),
            ([one, two], lambda: one.release("r", 1)),
        ):
            listeners = told * 2  # each of the tasks that wait is told
            heard = [trio.Event() for _ in listeners]

            async def listen(number: int, store: SqlStore) -> None:
                while True:
                    await store.news()
                    heard[number].set()  # noqa: B023

            with trio.fail_after(places.DEADLINE_S):
                async with trio.open_nursery() as nursery:
                    for number, store in enumerate(listeners):
                        nursery.start_soon(listen, number, store)
                    await trio.testing.wait_all_tasks_blocked()  # what was before is known by then
                    heard[:] = [trio.Event() for _ in listeners]
                    await tell()
                    for event in heard:
                        await event.wait()
                    nursery.cancel_scope.cancel()
