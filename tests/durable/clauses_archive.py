"""Looking back, removing, moving, caps: clauses of the contract of a store."""

from __future__ import annotations

import random

import pytest

from flowcage.host.durable.errors import (
    AlreadyThere,
    AmbiguousRun,
    Fenced,
    RunIsOpen,
    RunIsReused,
    TooLarge,
    UnknownRun,
)
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Ending, Filter
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.run.core.inputs import Answered, Opened, Turn

from . import entries
from .contract import DONE, clause
from .places import Clock, Place, begun, host, new, workflow, written

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
        assert await store.prune(50, "t", dry_run=True) == ["chain", "old"]
        assert sorted(await store.prune(50, dry_run=True)) == ["chain", "old", "other"]
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
