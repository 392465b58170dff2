"""What is kept of a run, and what is not: clauses of the contract of a store."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host.durable.errors import (
    AlreadyThere,
    Fenced,
    StoreFailed,
    UnknownRun,
    Unstorable,
)
from flowcage.host.durable.history.digests import digests_of
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.durable.ticket import Ticket
from flowcage.host.run.core.inputs import Answered, Said, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import Budget

from . import entries
from .contract import clause
from .places import Place, begun, host, new, workflow, written

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
    settings = {"model": "\ud800\0", "long": "x" * 100_000}
    kid = workflow("3", "export default 2", budget=Budget(None, 50))
    async with host(place) as store:
        journal = await begun(
            store, "r", *entries.INPUTS, rules=rules, root=root, tenant="t\0\ud800", settings=settings
        )
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
    assert record.settings == settings
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
