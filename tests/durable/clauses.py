"""The contract of a store, clause by clause: each is a function of a place, which raises if it is broken."""

from __future__ import annotations

import random
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing

from flowcage.host.durable.errors import (
    AlreadyThere,
    AmbiguousRun,
    Fenced,
    RunHasEnded,
    RunIsOpen,
    RunIsReused,
    StoreFailed,
    TooLarge,
    UnknownRun,
    Unstorable,
)
from flowcage.host.durable.history.digests import digests_of
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.records import Ending, Filter, StoreOptions
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.durable.ticket import Ticket
from flowcage.host.run.core.inputs import Answered, Opened, Refused, Said, Spent, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import MISSING, Budget

from . import entries
from .places import DEADLINE_S, Clock, Place, begun, host, new, other_host, workflow, written

Clause: TypeAlias = Callable[[Place], Awaitable[None]]
CLAUSES: dict[str, Clause] = {}
DONE = Ending("completed", {"a": 1}, None, {"tokens": 3})


async def dead(store: SqlStore, count: int) -> None:
    """Wait until so many runs can be claimed: a server is told of the death of a client a little later."""
    with trio.fail_after(DEADLINE_S):
        while len(await store.claimable()) < count:  # noqa: ASYNC110
            await trio.sleep(0.01)


def clause(check: Clause) -> Clause:
    CLAUSES[check.__name__] = check
    return check


# ---- what is kept ----------------------------------------------------------------------------


@clause
async def another_host_finds_all_that_was_durable(place: Place) -> None:
    rules = Rules(max_agents=3, budget_tokens=10**20, handlers=frozenset({"agent", "workflow"}))
    root = workflow(
        source="// \ud800\0\nexport default 1",
        args='{"b": 1e3,  "a": "\ud800"}',
        budget=Budget(100, 7),
        limits={"maxSleepMs": 5},
        made_by={"engine": "0.17 abc"},
    )
    kid = workflow("3", "export default 2", budget=Budget(None, 50))
    async with host(place) as store:
        journal = await begun(store, "r", *entries.INPUTS, rules=rules, root=root, tenant="t\0\ud800")
        await store.add_workflow("r", 1, kid)
        await written(journal, Turn(""))
    async with host(place) as store:
        record = await store.load("r")
    assert [entry.input for entry in record.entries] == [*entries.INPUTS, Turn("")]
    assert [entry.seq for entry in record.entries] == list(range(len(entries.INPUTS) + 1))
    assert [entry.at for entry in record.entries] == [float(each.seq) for each in record.entries]
    assert {entry.epoch for entry in record.entries} == {1}
    assert record.rules == rules
    assert record.workflows == {"": root, "3": kid}
    assert record.summary.tenant == "t\0\ud800"
    assert (record.summary.entries, record.summary.state) == (len(entries.INPUTS) + 1, "running")
    assert (record.ending, list(record.answers)) == (None, [])


@clause
async def digests_can_be_compared_with_the_key_of_the_run(place: Place) -> None:
    async with host(place) as store:
        await begun(store, "r", *entries.INPUTS)
        record = await store.load("r")
        replies = [(each.input, each.digests) for each in record.entries if isinstance(each.input, Said)]
        assert len(replies) > 2
        assert all(digests == digests_of(record.digest_key, said) for said, digests in replies)


@clause
async def values_of_any_size_are_kept(place: Place) -> None:
    sizes = [0, 2_047, 2_049, 70_000, 500_000]
    async with host(place) as store:
        answers = [Answered(str(size), "x\u00e9" * size) for size in sizes]
        await begun(store, "r", *answers, root=workflow(source="//" + "s" * 200_000))
        record = await store.load("r")
        assert [entry.input for entry in record.entries] == answers
        assert record.workflows[""].source == "//" + "s" * 200_000
        assert record.summary.bytes < 50_000  # they are compressed


@clause
async def many_hosts_runs_and_writes_at_once(place: Place) -> None:
    async def run(store: SqlStore, run_id: str) -> None:
        journal = await begun(store, run_id)
        for index in range(10):
            journal.record(1.0, Answered(str(index), run_id))
            last = journal.flush()
        await last

    async with host(place) as one, host(place) as two, trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(run, (one, two)[number % 2], f"r{number}")
    async with host(place) as store:
        for number in range(20):
            record = await store.load(f"r{number}")
            assert [each.input for each in record.entries] == [
                Answered(str(index), f"r{number}") for index in range(10)
            ]


@clause
async def entries_have_no_gap(place: Place) -> None:
    async with host(place) as store:
        journal = await begun(store, "r", Turn(""))
        for wrong in (0, 2):
            other = Journal(store, "r", 1, wrong)
            other.record(1.0, Turn("x"))
            with pytest.raises(StoreFailed, match=rf"has 1 entries, so entry {wrong} is not the next"):
                await other.flush()
        await written(journal, Turn("y"))
        assert [each.input for each in (await store.load("r")).entries] == [Turn(""), Turn("y")]


@clause
async def a_write_that_is_refused_stands_in_nobodys_way(place: Place) -> None:
    async with host(place) as store:
        journal = await begun(store, "r")
        wrong = Journal(store, "r", 7, 0)
        for each in (wrong, journal, wrong):
            each.record(1.0, Turn(""))
        tickets: list[Ticket[Any]] = [
            wrong.flush(),
            journal.flush(),
            store.append("none", 1, 0, []),
            store.claim("none"),
        ]
        await tickets[1]
        with pytest.raises(Fenced):
            await tickets[0]
        with pytest.raises(Fenced):
            await tickets[2]
        with pytest.raises(UnknownRun):
            await tickets[3]
        assert (await store.get("r")).entries == 1


@clause
async def a_workflow_at_a_path_stays_the_same(place: Place) -> None:
    async with host(place) as store:
        await begun(store, "r")
        await store.add_workflow("r", 1, workflow("3", "one"))
        await store.add_workflow("r", 1, workflow("3", "one"))
        with pytest.raises(AlreadyThere, match="another workflow at '3': its source was changed"):
            await store.add_workflow("r", 1, workflow("3", "two"))
        with pytest.raises(Fenced):
            await store.add_workflow("r", 2, workflow("4", "one"))
        assert set((await store.load("r")).workflows) == {"", "3"}


# ---- starting --------------------------------------------------------------------------------


@clause
async def a_start_with_a_key_is_one_run(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        assert await one.create(new("a", start_key="k\0")) == ("a", 1, True)
        assert await two.create(new("b", start_key="k\0")) == ("a", None, False)
        assert (await two.create(new("c", start_key="k\0", tenant="u"))).is_new
        with pytest.raises(AlreadyThere, match="with another source or other args"):
            await two.create(new("d", start_key="k\0", root=workflow(args="2")))
        with pytest.raises(AlreadyThere, match="has a run a already"):
            await two.create(new("a"))
        assert {each.run_id for each in await one.runs()} == {"a", "c"}


@clause
async def only_one_of_many_starts_with_a_key_is_new(place: Place) -> None:
    made = []

    async def start(store: SqlStore, run_id: str) -> None:
        made.append(await store.create(new(run_id, start_key="k")))

    async with host(place) as one, host(place) as two, trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(start, (one, two)[number % 2], f"r{number}")
    assert len({each.run_id for each in made}) == 1
    assert [each.is_new for each in made].count(True) == 1


@clause
async def an_id_that_no_file_could_have_is_refused(place: Place) -> None:
    async with host(place) as store:
        for wrong in ("", "a/b", "\0", "a" * 101, "@last"):
            with pytest.raises(Unstorable):
                await store.create(new(wrong))


@clause
async def a_queued_run_waits_for_whoever_claims_it(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        assert await one.create(new("r"), queued=True) == ("r", None, True)
        assert await two.claimable() == [("r", "queued")]
        assert await two.claim("r") == 1
        assert await one.claim("r") is None
        assert await one.claimable() == []
        await two.release("r", 1)
        assert await one.claimable() == [("r", "queued")]


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
            process.wait(DEADLINE_S)
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
        clock.now += 10
        assert await store.claimable() == [("a", "due")]
        clock.now += 10
        assert await store.claimable() == [("a", "due"), ("b", "due")]
        assert await store.claimable(1) == [("a", "due")]
        assert await store.claim("a") == 2
        assert (await store.get("a")).wake_at is None
        assert await store.claim("c") == 2  # whoever wants to may go on earlier


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
        for read in (store.get, store.load, store.find):
            with pytest.raises(UnknownRun):
                await read("none")


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
            for store in (one, two):  # of what was before
                with trio.move_on_after(0):
                    while True:
                        await store.news()
            heard: list[object] = []

            async def listen(store: SqlStore) -> None:
                await store.news()
                heard.append(store)  # noqa: B023

            with trio.fail_after(DEADLINE_S):
                async with trio.open_nursery() as nursery:
                    for store in told:
                        nursery.start_soon(listen, store)
                    await tell()


# ---- looking back ----------------------------------------------------------------------------


@clause
async def a_prefix_names_one_run(place: Place) -> None:
    clock = Clock()
    async with host(place, StoreOptions(clock=clock)) as store:
        for run_id in ("ab", "abc", "b-1", "b_2", "B3"):
            clock.now += 1
            await begun(store, run_id, tenant="u" if run_id == "B3" else "t")
        found = {prefix: await store.find(prefix) for prefix in ("ab", "abc", "b-", "B", "@last")}
        assert found == {"ab": "ab", "abc": "abc", "b-": "b-1", "B": "B3", "@last": "B3"}
        assert await store.find("@last", "t") == "b_2"
        with pytest.raises(AmbiguousRun) as caught:
            await store.find("b")
        assert caught.value.found == ("b-1", "b_2")
        for prefix, tenant in (("abcd", None), ("B3", "t"), ("", None)):
            with pytest.raises(UnknownRun):
                await store.find(prefix, tenant)


@clause
async def runs_are_listed_by_filter(place: Place) -> None:
    clock = Clock(0)
    async with host(place, StoreOptions(clock=clock)) as store:
        for number in range(6):
            clock.now = number
            await begun(store, f"r{number}", tenant="tu"[number % 2])
        await store.end("r1", 1, DONE)
        await store.end("r2", 1, Ending("failed"))
        await store.sleep("r3", 1)
        await store.create(new("fork", forked_from="r1", forked_at=3))

        async def ids(which: Filter) -> list[str]:
            return [each.run_id for each in await store.runs(which)]

        assert await ids(Filter()) == ["r5", "fork", "r4", "r3", "r2", "r1", "r0"]
        assert await ids(Filter(tenant="u")) == ["r5", "r3", "r1"]
        assert await ids(Filter(states=("ended", "asleep"))) == ["r3", "r2", "r1"]
        assert await ids(Filter(states=())) == []
        assert await ids(Filter(verdicts=("failed",))) == ["r2"]
        assert await ids(Filter(prefix="r", since=2, until=4)) == ["r3", "r2"]
        assert await ids(Filter(forked_from="r1")) == ["fork"]
        assert (await store.get("fork")).forked_at == 3
        pages, last = [], None
        while page := await store.runs(Filter(limit=3, before=last)):
            pages.append([each.run_id for each in page])
            last = page[-1]
        assert [run_id for page in pages for run_id in page] == await ids(Filter())
        assert list(map(len, pages)) == [3, 3, 1]


# ---- removing --------------------------------------------------------------------------------


@clause
async def only_what_is_over_and_unused_is_removed(place: Place) -> None:
    async with host(place) as store:
        for run_id in ("open", "old", "diverged"):
            await begun(store, run_id, *entries.INPUTS)
        await store.end("old", 1, DONE)
        await store.diverge("diverged", 1, DONE)
        await begun(store, "fork", forked_from="old")
        with pytest.raises(RunIsOpen):
            await store.delete("open")
        with pytest.raises(RunIsReused, match="is reused by fork"):
            await store.delete("old")
        with pytest.raises(UnknownRun):
            await store.delete("none")
        with pytest.raises(UnknownRun):
            await store.create(new("f", forked_from="none"))
        await store.delete("diverged")
        await store.end("fork", 1, DONE)
        await store.delete("fork")
        await store.delete("old")
        assert [each.run_id for each in await store.runs()] == ["open"]
        assert (await store.load("open")).workflows[""] == workflow()  # its source was theirs, too
        await begun(store, "old", Turn(""))
        assert [each.input for each in (await store.load("old")).entries] == [Turn("")]


@clause
async def runs_are_pruned_by_age(place: Place) -> None:
    clock = Clock(0)
    async with host(place, StoreOptions(clock=clock)) as store:
        for run_id, more in (
            ("old", {}),
            ("reused", {}),
            ("open", {}),
            ("fork", {"forked_from": "reused"}),
            ("other", {"tenant": "u"}),
            ("chain", {"forked_from": "old"}),
        ):
            await begun(store, run_id, **more)
        for run_id in ("old", "reused", "other", "chain"):
            await store.end(run_id, 1, DONE)
        clock.now = 100
        await begun(store, "young", delete_after=150)
        await store.end("young", 1, DONE)
        assert await store.prune(0) == []
        assert await store.prune(50, "t") == ["chain", "old"]
        assert await store.prune(50) == ["other"]
        clock.now = 150
        assert await store.prune(50) == ["young"]
        assert sorted(each.run_id for each in await store.runs()) == ["fork", "open", "reused"]


# ---- moving ----------------------------------------------------------------------------------


@clause
async def a_run_moves_with_its_ancestors_in_one_file(place: Place) -> None:
    path = place.folder / "moved.db"
    async with host(place) as store:
        await begun(store, "old", Opened("", "w.js"), root=workflow(source="//" + "o" * 100_000))
        await store.end("old", 1, DONE)
        journal = await begun(
            store, "new", *entries.INPUTS, forked_from="old", forked_at=1, start_key="k", root=workflow()
        )
        await store.add_workflow("new", 1, workflow("3", "kid"))
        await store.answer("new", Answered("9", "y" * 100_000))
        await begun(store, "another")
        before = await store.load("new")
        assert await store.export("new", path) == ["old", "new"]
        with pytest.raises(AlreadyThere):
            await store.import_from(path)
        await store.end("new", 1, DONE)
        await store.delete("new")
        assert await store.import_from(path, "u") == ["new"]
        after = await store.load("new")
        assert (after.entries, after.workflows, after.answers) == (
            before.entries,
            before.workflows,
            before.answers,
        )
        assert after.digest_key == before.digest_key
        assert (after.summary.state, after.summary.tenant, after.summary.owner) == ("asleep", "u", None)
        assert (after.summary.forked_from, after.summary.start_key) == ("old", None)
        with pytest.raises(Fenced):
            await written(journal, Turn(""))
        assert await store.claim("new") == 2


# ---- caps ------------------------------------------------------------------------------------


async def several(store: SqlStore, noise: str) -> None:
    for number in range(9):
        await begun(store, f"c{number}", Answered("1", noise))


@clause
async def caps_on_bytes_are_kept(place: Place) -> None:
    noise = random.Random(1).randbytes(3_000).hex()
    async with host(place, StoreOptions(run_bytes=8_000, tenant_bytes=15_000)) as store:
        journal = await begun(store, "a", Answered("1", noise))
        with pytest.raises(TooLarge, match="run a would take more than 8,000 bytes"):
            await written(journal, Answered("2", noise), Answered("3", noise))
        assert (await store.get("a")).entries == 1
        await begun(store, "b", Answered("1", noise))
        with pytest.raises(TooLarge) as caught:
            await several(store, noise)
        assert (caught.value.cap, caught.value.most) == ("tenant_bytes", 15_000)
        assert sum(each.bytes for each in await store.runs()) <= 15_000
        await begun(store, "other", Answered("1", noise), tenant="u")
        await store.end("b", 1, DONE)
        await store.delete("b")
        await begun(store, "room", Answered("1", noise))
