"""Schedules: each of their times leads to one run, over all workers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import Host, RunOptions, SqliteStore
from flowcage.host.durable.queue.records import Schedule
from flowcage.host.resume.new.cron import NotScheduled, as_text, last_before, next_after
from flowcage.host.resume.new.queued import Place
from flowcage.host.resume.new.scheduled import run_of, what_of

from ..resume.sleepers import DEADLINE_S, Agents, Clock, opened, until

HOUR = 3_600_000
NOON = 1_700_049_600_000  # 2023-11-15T12:00:00Z


@pytest.mark.parametrize(
    ("cron", "at", "last", "following"),
    [
        ("0 * * * *", NOON, NOON, NOON + HOUR),
        ("0 * * * *", NOON - 1, NOON - HOUR, NOON),
        ("0 * * * *", NOON + 1, NOON, NOON + HOUR),
        ("0 12 * * *", NOON + HOUR, NOON, NOON + 24 * HOUR),
        ("*/20 * * * *", NOON + HOUR // 2, NOON + HOUR // 3, NOON + 2 * HOUR // 3),
    ],
)
def test_the_times_of_a_schedule(cron: str, at: int, last: int, following: int) -> None:
    assert (last_before(cron, at), next_after(cron, at)) == (last, following)


@pytest.mark.parametrize(
    "cron", ["", "at noon", "* * * *", "61 * * * *", "0 0 31 2 *", "* * * * * *", "1," * 100 + "1 * * * *"]
)
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(NotScheduled, match="is no schedule"):
        next_after(cron, NOON)


def hourly(next_at: int, source: str = "export default args", **more: Any) -> Schedule:
    options = RunOptions(timeout_seconds=7.0, max_agents=3)
    what = what_of(
        source, "w.js", {"a": 1}, options, Place("", 2), handlers=frozenset({"agent"}), settings={}
    )
    return Schedule("night", "0 * * * *", "acme", next_at, what)._replace(**more)


def worker(store: SqliteStore) -> Host:
    return Host(store=store, worker=True, options=RunOptions(agent=Agents()))


async def fired(store: SqliteStore, count: int) -> list[str]:
    """The start keys of so many runs, the newest first."""
    with trio.fail_after(DEADLINE_S):
        while len(found := await store.runs()) < count:  # noqa: ASYNC110
            await trio.sleep(0.01)
    return [each.start_key or "" for each in found]


def test_each_time_leads_to_one_run_over_all_workers(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock(NOON - 1000)
        async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
            await one.put_schedule(hourly(NOON))
            async with worker(one), worker(two):
                clock.now = NOON + 1
                assert await fired(one, 1) == ["night@2023-11-15T12:00:00Z"]
                clock.now = NOON + HOUR
                assert await fired(one, 2) == ["night@2023-11-15T13:00:00Z", "night@2023-11-15T12:00:00Z"]
                run_id = (await one.runs())[0].run_id
                await until(one, run_id, "ended")
                record = await one.load(run_id)
                assert record.ending is not None
                assert record.ending.result == {"a": 1}
                assert (record.summary.tenant, record.summary.priority) == ("acme", 2)
                assert record.rules.max_agents == 3
            schedule = (await one.schedules())[0]
            assert (schedule.next_at, schedule.last_run) == (NOON + 2 * HOUR, run_id)

    trio.run(main)


def test_of_times_that_were_missed_the_last_is_made_up_for_once(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock(NOON + 5 * HOUR + 17)
        async with opened(tmp_path, clock) as store:
            await store.put_schedule(hourly(NOON))
            async with worker(store):
                assert await fired(store, 1) == [f"night@{as_text(NOON + 5 * HOUR)}"]
            assert (await store.schedules())[0].next_at == NOON + 6 * HOUR

    trio.run(main)


def test_a_schedule_that_is_damaged_keeps_no_other_from_beginning(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock(NOON)
        async with opened(tmp_path, clock) as store:
            for name, what in (("a", None), ("b", {"v": 1}), ("c", {**what_it_is(), "limits": {"x": 1}})):
                await store.put_schedule(hourly(NOON, name=name, what=what))
            await store.put_schedule(hourly(NOON, name="d", cron="nonsense"))
            await store.put_schedule(hourly(NOON, name="e"))
            async with worker(store):
                assert await fired(store, 1) == ["e@2023-11-15T12:00:00Z"]
            for each in (await store.schedules())[:3]:
                with pytest.raises(NotScheduled, match="is damaged"):
                    run_of(store, each, NOON)

    trio.run(main)


def test_a_schedule_that_cannot_be_read_keeps_no_other_from_beginning(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock(NOON)
        async with opened(tmp_path, clock) as store:
            await store.put_schedule(hourly(NOON, name="a"))
            await store.put_schedule(hourly(NOON, name="b"))
            with closing(sqlite3.connect(tmp_path / "runs.db")) as db, db:
                db.execute("UPDATE schedules SET what = x'6a' WHERE name = 'a'")
            async with worker(store):
                assert await fired(store, 1) == ["b@2023-11-15T12:00:00Z"]
            damaged, whole = await store.schedules()
            assert (damaged.what, damaged.problem) == (None, "it is no value of this version's")
            assert (damaged.next_at, whole.problem) == (NOON, "")
            with pytest.raises(NotScheduled, match="cannot be read: it is no value"):
                run_of(store, damaged, NOON)

    trio.run(main)


def what_it_is() -> dict[str, Any]:
    what = hourly(NOON).what
    assert isinstance(what, dict)
    return what
