"""A commit of which nobody learns whether it took place, before it is given up."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.queue.records import MOST_TAKEOVERS, Taken, Wanted, no_limits
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.durable.ticket import Ticket
from flowcage.host.resume import giving_back
from flowcage.host.tenants.working.taking import Taking
from flowcage.host.tenants.working.worker import Worker

from .flaky import Flaky
from .places import new
from .queued import queued, taken
from .test_committer import DEADLINE_S, run

HASTY = StoreOptions(give_up_seconds=0.0)


async def given_up(store: SqliteStore, flaky: Flaky, ticket: Ticket[Any], *, took_place: bool) -> None:
    """Wait until a write was given up that may be there."""
    with pytest.raises(StoreFailed, match="took nothing for too long"):
        await ticket
    assert (flaky.after if took_place else flaky.before)["COMMIT"] == 0
    flaky.before.clear()
    while store.trouble is not None:  # noqa: ASYNC110
        await trio.sleep(0.001)


def break_at_commit(flaky: Flaky, *, took_place: bool) -> None:
    (flaky.after if took_place else flaky.before)["COMMIT"] = 1
    flaky.before["SELECT commits"] = 10**9


@pytest.mark.parametrize("took_place", [True, False])
def test_runs_that_may_have_been_taken_are_back_in_the_queue(tmp_path: Path, took_place: bool) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        await queued(store, "a1", "a2")
        for _ in range(MOST_TAKEOVERS + 1):
            break_at_commit(flaky, took_place=took_place)
            await given_up(store, flaky, store.take(Wanted(2)), took_place=took_place)
            assert sorted(await store.reap()) == (["a1", "a2"] if took_place else [])
        first, second = await store.take(Wanted(2))
        assert await store.reap() == []
        for each in (first, second):
            await store.release(each.run_id, each.epoch)  # nothing of it is lost
        assert await taken(store) == ["a1", "a2"]
        assert (await store.get("a1")).takeovers == 0  # nobody died

    run(tmp_path, body, HASTY)


def test_a_run_that_may_have_been_claimed_or_made_can_be_claimed(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        break_at_commit(flaky, took_place=True)
        await given_up(store, flaky, store.create(new("r")), took_place=True)
        break_at_commit(flaky, took_place=True)
        await given_up(store, flaky, store.claim("r"), took_place=True)
        assert await store.claim("r") == 3
        assert await store.claim("r") is None

    run(tmp_path, body, HASTY)


def test_the_next_commit_in_doubt_is_not_taken_for_the_one_that_was_given_up(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        await store.create(new("r"))
        break_at_commit(flaky, took_place=True)
        with pytest.raises(StoreFailed):
            await store.charge("t", 1.0, 1.0)
        store.committer._give_up_seconds = DEADLINE_S
        flaky.before = {"COMMIT": 1}
        assert await store.cancel("r") is True  # before the committing thread looks by itself
        assert await store.cancel("r") is False

    run(tmp_path, body, HASTY)


def test_runs_that_are_taken_after_who_took_them_was_cancelled_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_back, "LAST_COMMIT_SECONDS", 0.0)
    at_commit, go_on = threading.Event(), threading.Event()
    is_watched = False

    def fault(point: str) -> None:
        if is_watched and point == "before-commit":
            at_commit.set()
            go_on.wait(DEADLINE_S)

    async def body(store: SqliteStore, _: Flaky) -> None:
        nonlocal is_watched
        await queued(store, "a1", "a2")
        begun: list[Taken] = []
        taking = Taking(store, Worker(), no_limits, lambda: True, begun.append)
        is_watched = True
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(taking._take, Wanted(2))
                await trio.to_thread.run_sync(at_commit.wait)
                scope.cancel()
        go_on.set()
        await store.charge("a", 0.0)  # the take is committed, and what left them was put before this
        await store.charge("a", 0.0)
        assert begun == []
        for run_id in ("a1", "a2"):
            summary = await store.get(run_id)
            assert (summary.state, summary.epoch) == ("queued", 1)

    run(tmp_path, body, StoreOptions(fault=fault))


def behind(folder: Path, by: int) -> None:
    """Have the store as a server has it that lacks the last commits."""
    with closing(sqlite3.connect(folder / "runs.db", timeout=DEADLINE_S)) as other, other:
        other.execute("UPDATE owners SET commits = commits - ?", (by,))


def test_a_host_that_had_runs_gives_up_a_server_that_lacks_what_it_confirmed(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        await store.create(new("r"))
        await store.charge("t", 1.0, 1.0)
        behind(tmp_path, 1)
        flaky.before["COMMIT"] = 1  # it connects anew
        with pytest.raises(StoreFailed, match="lacks commits that were confirmed") as told:
            await store.charge("t", 1.0, 1.0)
        assert told.value.is_final

    run(tmp_path, body)


def test_a_host_without_runs_goes_on_with_a_server_that_lacks_what_it_confirmed(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        await store.create(new("r", pool=""), queued=True)
        await store.cancel("r")
        behind(tmp_path, 1)
        flaky.before["COMMIT"] = 1
        assert await store.cancel("r") is False
        assert store.committer.commits == 2

    run(tmp_path, body)
