"""What only a server can do to a store: end its connections, be away, belong to others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from flowcage.host.durable.errors import StoreFailed, WrongStore
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.queue.records import WorkerInfo
from flowcage.host.run.core.inputs import Answered, Turn

from . import entries
from .places import DEADLINE_S, ROOT, PostgresPlace, SqlitePlace, begun, host, new, written


@pytest.fixture
def place(postgres: str, tmp_path: Path) -> PostgresPlace:
    return PostgresPlace(tmp_path, postgres)


@pytest.fixture
def administrator(postgres: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


def end(administrator: psycopg.Connection[Any], connection: psycopg.Connection[Any]) -> None:
    """End a connection from the server's side."""
    pid = connection.info.backend_pid
    administrator.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))


def test_each_connection_is_made_anew_when_the_server_ends_it(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    async def main() -> None:
        async with host(place) as store, host(place) as other:
            assert isinstance(store, PostgresStore)
            journal = await begun(store, "r", Turn("a"))
            database: Any = store
            for which in (database.committer._db, database._reader):
                end(administrator, which.connection)
                await written(journal, Turn("b"))
                assert (await store.get("r")).entries == journal.seq
            end(administrator, database._owners._connection)
            with trio.fail_after(DEADLINE_S):
                await store.news()
            assert await other.claim("r") is None
            await other.answer("r", Answered("1", "x"))
            with trio.fail_after(DEADLINE_S):
                await store.news()
            assert len(await store.answers("r")) == 1

    trio.run(main)


@pytest.mark.parametrize("point", ["before-begin", "before-commit"])
def test_a_write_whose_connection_broke_is_written_once(
    place: PostgresPlace, administrator: psycopg.Connection[Any], point: str
) -> None:
    stores: list[Any] = []
    left = 1

    def fault(reached: str) -> None:
        nonlocal left
        if stores and left and reached == point:
            left -= 1
            end(administrator, stores[0].committer._db.connection)

    async def main() -> None:
        async with host(place, StoreOptions(fault=fault)) as store:
            journal = await begun(store, "r")
            stores.append(store)
            await written(journal, *entries.INPUTS)
            assert [each.input for each in (await store.load("r")).entries] == entries.INPUTS

    trio.run(main)
    assert left == 0


def test_a_connection_that_breaks_in_a_commit_is_in_doubt_and_looked_up(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    async def main() -> None:
        async with host(place) as store:
            journal = await begun(store, "r")
            db: Any = store.committer._db
            commit = db.commit

            def commit_and_break() -> None:
                commit()
                end(administrator, db.connection)
                db.execute("SELECT 1")

            db.commit = commit_and_break
            await written(journal, Turn("a"))
            await written(journal, Turn("b"))
            assert [each.input for each in (await store.load("r")).entries] == [Turn("a"), Turn("b")]

    trio.run(main)


def test_a_host_that_others_took_for_dead_is_known_again(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    schema = place.address.partition("|")[2]

    async def main() -> None:
        async with host(place) as store:
            journal = await begun(store, "r")
            administrator.execute(f"DELETE FROM {schema}.owners")
            await written(journal, Turn("a"))
            [row] = administrator.execute(f"SELECT owner, commits FROM {schema}.owners").fetchall()
            assert row == (store.owner, store.committer.commits)

    trio.run(main)


def test_what_a_host_told_of_itself_is_told_again_where_others_took_it_for_dead(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    schema = place.address.partition("|")[2]
    info = WorkerInfo("w", ("",), 1, "m", "1.0", ("m",))

    async def main() -> None:
        async with host(place) as store, host(place) as other:
            journal = await begun(store, "r")
            await store.describe(info)
            await other.describe(info)
            await store.follow("r")
            await other.describe(None)
            administrator.execute(f"DELETE FROM {schema}.owners")
            await written(journal, Turn("a"))
            await begun(other, "s")
            rows = administrator.execute(f"SELECT owner, info, follows FROM {schema}.owners").fetchall()
            assert {owner: (text is None, follows) for owner, text, follows in rows} == {
                store.owner: (False, "r"),
                other.owner: (True, None),
            }
            assert [each.owner for each in await other.workers()] == [store.owner]

    trio.run(main)


def test_a_commit_in_doubt_that_nobody_knows_of_has_failed(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    schema = place.address.partition("|")[2]

    async def main() -> None:
        async with host(place) as store:
            journal, other = await begun(store, "r"), await begun(store, "other")
            db: Any = store.committer._db

            def break_and_forget() -> None:
                end(administrator, db.connection)
                administrator.execute(f"DELETE FROM {schema}.owners")
                db.execute("SELECT 1")

            db.commit = break_and_forget
            with pytest.raises(StoreFailed):
                await written(journal, Turn("a"))
            await written(other, Turn("b"))
            assert [each.input for each in (await store.load("other")).entries] == [Turn("b")]
            assert await store.claim("r") == 2

    trio.run(main)


def test_a_host_that_cannot_reach_the_server_fails_in_time(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="the store in Postgres cannot be opened: "):
        PostgresStore.open(f"host={tmp_path} port=1 dbname=postgres")


def test_a_schema_of_another_program_or_a_later_version_is_refused(
    place: PostgresPlace, administrator: psycopg.Connection[Any]
) -> None:
    schema = place.address.partition("|")[2]
    administrator.execute(f"CREATE SCHEMA {schema}")
    administrator.execute(f"CREATE TABLE {schema}.runs(x int)")
    with pytest.raises(WrongStore, match="is of another program; give another schema"):
        place.open()
    administrator.execute(f"DROP TABLE {schema}.runs")
    place.open().close()
    administrator.execute(f"ALTER TABLE {schema}.runs RENAME COLUMN sleeps TO naps")
    with pytest.raises(WrongStore, match=r"has a schema that no released flowcage has made .column .sleeps."):
        place.open()
    administrator.execute(f"UPDATE {schema}.flowcage_schema SET version = 9, oldest_reader = 9")
    with pytest.raises(WrongStore, match="was written by a later flowcage: its schema is version 9"):
        place.open()


def test_hosts_that_come_first_at_once_make_one_store(place: PostgresPlace) -> None:
    async def come(number: int) -> None:
        store = await trio.to_thread.run_sync(place.open)
        await begun(store, f"r{number}")
        await store.aclose()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(come, number)
        async with host(place) as store:
            assert len(await store.runs()) == 4

    trio.run(main)


def test_a_run_moves_from_a_server_to_a_file(place: PostgresPlace, tmp_path: Path) -> None:
    async def main() -> None:
        async with host(place) as server, host(SqlitePlace(tmp_path)) as file:
            await begun(server, "r", *entries.INPUTS)
            await server.export("r", tmp_path / "moved.db")
            assert await file.import_from(tmp_path / "moved.db") == ["r"]
            assert (await file.load("r")).entries == (await server.load("r")).entries

    trio.run(main)


def test_two_hosts_that_change_the_same_runs_in_another_order_both_go_on(place: PostgresPlace) -> None:
    async def ask(store: Any, order: Callable[[Any], Any], by: str) -> None:
        for number in range(20):
            tickets = [
                store.answer(run_id, Answered(f"{by}{number}", 1)) for run_id in order(("a", "b", "c"))
            ]
            for ticket in tickets:
                assert await ticket

    async def main() -> None:
        async with host(place) as one, host(place) as two:
            for run_id in ("a", "b", "c"):
                await one.create(new(run_id))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, one, list, "x")
                nursery.start_soon(ask, two, lambda ids: list(reversed(ids)), "y")
            assert len(await one.answers("a")) == 40

    trio.run(main)


def test_hosts_that_are_killed_lose_nothing(place: PostgresPlace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.durable.kills", place.address, "20", "3"],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    assert json.loads(done.stdout)["kills"] == 20
