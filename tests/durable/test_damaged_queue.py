"""A number that is none, in a row of the queue: whose it is may wait, and nobody else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.durable.queue.records import TurnLimits, Wanted
from flowcage.host.durable.sqlite.store import SqliteStore

from .flaky import Flaky
from .queued import ended, queued, taken
from .test_committer import run

BAD: list[Any] = ["much", b"\0", float("inf"), float("-inf"), -1.0, 1e300]
MOST = 2**63 - 1  # that a column has room for
LIMITS = TurnLimits(max_runs=50, runs_per_minute=1000, cpu_seconds_per_minute=1000, max_cost_usd=1000)


def limits(_tenant: str) -> TurnLimits:
    return LIMITS


def damage(path: Path, table: str, column: str, where: str, value: Any) -> None:
    with sqlite3.connect(path / "runs.db") as db:
        assert db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,)).rowcount


async def lived(store: SqliteStore) -> None:
    """Two tenants that have had turns, and have more in the queue."""
    await queued(store, "a0", "b0")
    assert sorted(await taken(store, limits=limits)) == ["a0", "b0"]
    for tenant in "ab":
        await store.charge(tenant, 1.0, 0.5)
    await ended(store, "a0", "b0")
    await queued(store, "a1", "a2", "b1", "b2")


async def look(store: SqliteStore) -> None:
    """What workers and onlookers do beside taking."""
    assert await store.reap() == []
    assert {each.tenant for each in await store.depths()} == {"a", "b"}
    for tenant in "ab":
        await store.charge(tenant, 1.0, 0.5)
    await store.next_in_queue(Wanted(1))


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(("table", "where"), [("turns", "tenant = 'a'"), ("pools", "pool = ''")])
def test_a_turn_that_is_no_number_is_mended_by_the_next(
    table: str, where: str, value: Any, tmp_path: Path
) -> None:
    column = {"turns": "tag", "pools": "virtual_time"}[table]

    async def body(store: SqliteStore, _: Flaky) -> None:
        await lived(store)
        damage(tmp_path, table, column, where, value)
        assert await store.queue_problems() != []
        found = [run_id for _ in range(4) for run_id in await taken(store, 1)]
        assert sorted(found) == ["a1", "a2", "b1", "b2"]
        assert "b1" in found[:3]  # one turn may be given twice
        assert await store.queue_problems() == []
        await look(store)

    run(tmp_path, body)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("column", ["at", "runs", "runs_rate", "cpu_seconds", "cpu_rate", "cost_usd"])
def test_a_tenant_of_whom_nobody_knows_what_it_has_used_waits(
    column: str, value: Any, tmp_path: Path
) -> None:
    async def body(store: SqliteStore, _: Flaky) -> None:
        await lived(store)
        damage(tmp_path, "tenants", column, "tenant = 'a'", value)
        assert await taken(store, limits=limits) == ["b1", "b2"]
        await look(store)
        assert await taken(store, limits=limits) == []
        [problem] = await store.queue_problems()
        assert "'a'" in problem
        with sqlite3.connect(tmp_path / "runs.db") as db:
            db.execute("DELETE FROM tenants WHERE tenant = 'a'")  # what the problem says
        assert await taken(store, limits=limits) == ["a1", "a2"]
        assert await store.queue_problems() == []

    run(tmp_path, body)


@pytest.mark.parametrize("value", ["much", b"\0", 0.5, MOST])
@pytest.mark.parametrize("column", ["priority", "created_at", "epoch"])
def test_a_run_of_which_a_number_is_none_is_not_taken(column: str, value: Any, tmp_path: Path) -> None:
    async def body(store: SqliteStore, _: Flaky) -> None:
        await lived(store)
        damage(tmp_path, "runs", column, "run_id = 'a1'", value)
        assert {"b1", "b2"} <= set(await taken(store)) <= {"a2", "b1", "b2"}
        await look(store)
        [problem] = await store.queue_problems()
        assert "a1" in problem

    run(tmp_path, body)


@pytest.mark.parametrize("value", ["much", MOST])
def test_a_run_of_a_dead_worker_of_which_a_number_is_none_stops_no_other(value: Any, tmp_path: Path) -> None:
    async def body(store: SqliteStore, _: Flaky) -> None:
        await queued(store, "a1", "b1")
        assert len(await taken(store)) == 2
        damage(tmp_path, "runs", "owner", "run_id <> ''", "somebody-dead")
        damage(tmp_path, "runs", "takeovers", "run_id = 'a1'", value)
        assert "b1" in await store.reap()

    run(tmp_path, body)
