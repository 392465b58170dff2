"""The queue of a store on a server: its plans, its news, and how an earlier store gets one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.queue.records import Wanted, WorkerInfo
from flowcage.host.durable.sql import schema as tables
from flowcage.host.durable.sql.queue import holding, lanes, reap
from flowcage.host.durable.ticket import Ticket

from .places import DEADLINE_S, PostgresPlace, host, new
from .queued import ended, queued, taken


@pytest.fixture
def place(postgres: str, tmp_path: Path) -> PostgresPlace:
    return PostgresPlace(tmp_path, postgres)


@pytest.fixture
def administrator(postgres: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


def test_a_store_of_version_1_is_brought_up_to_date(
    place: PostgresPlace, administrator: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(tables, "_MIGRATIONS", tables._MIGRATIONS[:1])
        before.setattr(tables, "VERSION", 1)
        place.open().close()
    schema = place.address.partition("|")[2]
    administrator.execute(
        f"""INSERT INTO {schema}.runs(run_id, tenant, start_hash, digest_key, source_name, rules, settings,
        state, epoch, entries, bytes, sleeps, created_at, updated_at, written_at)
        VALUES('r', 't', '', '', 'w.js', '', '\\x6a25cbfc4f6e756c6c', 'queued', 0, 0, 0, 0, 1, 1, 1)"""
    )

    async def main() -> None:
        async with host(place) as store:
            assert await store.take(Wanted(1)) == []
            assert await store.claimable() == [("r", "queued")]
            await store.create(new("s", pool=""), queued=True)
            assert await store.take(Wanted(1)) == [("s", 1, "t")]

    trio.run(main)
    versions = administrator.execute(f"SELECT version, oldest_reader FROM {schema}.flowcage_schema")
    assert versions.fetchall() == [(2, 2)]


def test_a_worker_is_told_of_its_pools_alone(place: PostgresPlace) -> None:
    async def main() -> None:
        async with host(place) as store:
            assert isinstance(store, PostgresStore)
            owners: Any = store._owners
            told = ("", store.owner, "#gpu", "#", "another")
            assert list(map(owners._is_for_me, told)) == [True, True, True, True, False]
            await store.describe(WorkerInfo("w", ("gpu",), 1, "", ""))
            assert list(map(owners._is_for_me, told)) == [True, True, True, False, False]
            await heard(owners, store.create(new("a", pool="gpu"), queued=True), of_queue=True)
            await heard(owners, store.create(new("b"), queued=True), of_queue=False)

    trio.run(main)


def test_a_run_whose_epoch_is_the_last_ends_no_worker(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    async def main() -> None:
        async with host(place) as store:
            await queued(store, "a1", "b1")
            schema = place.address.partition("|")[2]
            administrator.execute(f"UPDATE {schema}.runs SET epoch = {2**63 - 1} WHERE run_id = 'a1'")
            with trio.fail_after(DEADLINE_S):
                assert await taken(store) == ["b1"]
                await ended(store, "b1")

    trio.run(main)


async def heard(owners: Any, ticket: Ticket[Any], *, of_queue: bool) -> None:
    await ticket
    with trio.fail_after(DEADLINE_S):
        assert await owners.news() is of_queue


def test_looking_into_a_long_queue_follows_its_indexes(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    """Also where the server knows nothing of the table yet, as here: nobody analyzes it."""
    schema = place.address.partition("|")[2]

    async def main() -> None:
        async with host(place) as store:
            tickets = [store.create(new(f"r{number}", pool=""), queued=True) for number in range(2000)]
            for ticket in tickets:
                await ticket

    trio.run(main)
    administrator.execute(f"SET search_path TO {schema}")
    lane, now = ("", ""), 10**15
    for sql, params in (
        (lanes._TENANTS, (*lane, "", *lane, 5, "", "")),
        (lanes._READY_ONE, lane),
        (lanes._NEXT, (*lane, "t", 5)),
        (lanes._NEXT_BUT_SUSPECTS, (*lane, "t", 5)),
        (lanes._NEXT + " FOR UPDATE SKIP LOCKED", (*lane, "t", 5)),
        (lanes._DUE, (now, 5)),
        (reap._OWNERS, ()),
        (reap._ORPHANS, ("nobody", 5)),
        (holding._POOLS, ()),
        (holding._MARKS, ("", "")),
    ):
        plan = administrator.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("?", "%s"), params)
        [(found,)] = plan.fetchall()
        assert most_read(found[0]["Plan"]) <= 6, (sql, json.dumps(found, indent=1))


def most_read(plan: dict[str, Any]) -> int:
    """The most rows that one part of a plan has read, with those that it has left out."""
    read: int = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return max([read, *(most_read(part) for part in plan.get("Plans", []))])


def test_who_looks_in_vain_does_not_wait_for_who_gives_turns(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    schema = place.address.partition("|")[2]

    async def main() -> None:
        async with host(place) as store:
            key = f"hashtextextended('{schema}.queue', 0)"
            administrator.execute(f"SELECT pg_advisory_lock({key})")
            with trio.fail_after(DEADLINE_S):
                assert await store.take(Wanted(1)) == []
                assert await store.reap() == []
            await store.create(new("a", pool=""), queued=True)
            taking = store.take(Wanted(1))
            pid = store.committer._db.connection.info.backend_pid  # type: ignore[union-attr]
            await until_it_waits(administrator, pid)
            administrator.execute(f"SELECT pg_advisory_unlock({key})")
            assert await taking == [("a", 1, "t")]

    trio.run(main)


async def until_it_waits(administrator: psycopg.Connection[Any], pid: int) -> None:
    """Wait until a process of the server waits for a lock."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    with trio.fail_after(DEADLINE_S):
        while not administrator.execute(waits, (pid,)).fetchall():
            await trio.sleep(0.01)
            administrator.execute("SELECT pg_stat_clear_snapshot()")


def test_the_runs_of_a_commit_are_locked_in_one_order(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    """Or two hosts that answer or cancel several runs at once would wait for each other."""
    schema = place.address.partition("|")[2]
    at_commit, go_on = threading.Event(), threading.Event()

    def fault(point: str) -> None:
        if point == "before-commit" and armed and not go_on.is_set():
            at_commit.set()
            go_on.wait(DEADLINE_S)

    async def main() -> None:
        async with host(place, StoreOptions(fault=fault)) as store:
            for run_id in ("a", "b"):
                await store.create(new(run_id), queued=True)
            armed.append(True)
            tickets = [store.create(new("c"))]
            await trio.to_thread.run_sync(at_commit.wait)
            administrator.execute("BEGIN")
            administrator.execute(f"SELECT 1 FROM {schema}.runs WHERE run_id = 'a' FOR UPDATE")
            cancels = [store.cancel("b"), store.cancel("a")]
            go_on.set()
            await tickets[0]
            pid = store.committer._db.connection.info.backend_pid  # type: ignore[union-attr]
            await until_it_waits(administrator, pid)
            administrator.execute(f"SELECT 1 FROM {schema}.runs WHERE run_id = 'b' FOR UPDATE NOWAIT")
            administrator.execute("ROLLBACK")
            assert [await each for each in cancels] == [True, True]

    armed: list[bool] = []
    trio.run(main)
