"""The thread that writes: groups, order, and what becomes of a write that the disk does not take."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import Fenced, StoreFailed, Unstorable
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.queue.records import Wanted
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sql import life, outside
from flowcage.host.durable.sql.committing import committer
from flowcage.host.durable.sql.queue.accounts import Charge
from flowcage.host.durable.sql.queue.reap import Reap
from flowcage.host.durable.sql.queue.take import Take
from flowcage.host.durable.sql.writes import Append
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.durable.ticket import Ticket
from flowcage.host.run.core.inputs import Answered, Turn

from .flaky import Flaky
from .places import begun, new, written

DEADLINE_S = 300


def run(
    folder: Path,
    body: Callable[[SqliteStore, Flaky], Awaitable[None]],
    options: StoreOptions = DEFAULTS,
) -> None:
    """Run something with a store on a flaky disk."""

    async def main() -> None:
        flaky = Flaky()
        store = SqliteStore.open(folder / "runs.db", options, connect=flaky.connect)
        try:
            with trio.fail_after(DEADLINE_S):
                await body(store, flaky)
        finally:
            await store.aclose()

    trio.run(main)


async def inputs(store: SqliteStore) -> list[object]:
    return [each.input for each in (await store.load("r")).entries]


def test_writes_that_come_during_a_commit_are_committed_together(tmp_path: Path) -> None:
    at_commit, go_on = threading.Event(), threading.Event()

    def fault(point: str) -> None:
        if point == "before-commit" and not go_on.is_set():
            at_commit.set()
            go_on.wait(DEADLINE_S)

    async def body(store: SqliteStore, _: Flaky) -> None:
        first = store.create(new("r"))
        await trio.to_thread.run_sync(at_commit.wait)
        journal, before = Journal(store, "r", 1), store.committer.commits
        tickets = []
        for number in range(100):
            journal.record(1.0, Turn(str(number)))
            tickets.append(journal.flush())
        go_on.set()
        await first
        for ticket in tickets:
            await ticket
        assert store.committer.commits == before + 2
        assert await inputs(store) == [Turn(str(number)) for number in range(100)]

    run(tmp_path, body, StoreOptions(fault=fault))


def test_what_takes_the_lock_of_the_queue_comes_last_in_its_commit(tmp_path: Path) -> None:
    """Or two hosts could wait for each other: one for that lock, the other for a run's row."""
    at_commit, go_on = threading.Event(), threading.Event()

    def fault(point: str) -> None:
        if point == "before-commit" and not go_on.is_set():
            at_commit.set()
            go_on.wait(DEADLINE_S)

    async def body(store: SqliteStore, _: Flaky) -> None:
        first = store.create(new("r", pool=""), queued=True)
        await trio.to_thread.run_sync(at_commit.wait)
        taking, cancel = store.take(Wanted(9)), store.cancel("r")
        second = store.create(new("s", pool=""), queued=True)
        go_on.set()
        await first
        assert (await taking, await cancel, (await second).is_new) == (
            [("r", 1, "t"), ("s", 1, "t")], True, True,
        )  # fmt: skip
        writes = (Take, Reap, Charge, life.Claim, outside.GiveAnswer, Append)
        assert [each.comes_last for each in writes] == [True] * 3 + [False] * 3

    run(tmp_path, body, StoreOptions(fault=fault))


def test_of_several_ends_in_one_commit_those_of_lost_runs_change_nothing(tmp_path: Path) -> None:
    is_ready, at_commit, go_on = threading.Event(), threading.Event(), threading.Event()

    def fault(point: str) -> None:
        if point == "before-commit" and is_ready.is_set():
            at_commit.set()
            go_on.wait(DEADLINE_S)

    async def body(store: SqliteStore, _: Flaky) -> None:
        for run_id in ("a", "lost", "b"):
            await begun(store, run_id)
        await store.release("lost", 1)
        assert await store.claim("lost") == 2
        await store.answer("lost", Answered("1", "yes"))
        is_ready.set()
        first = store.create(new("r"))
        await trio.to_thread.run_sync(at_commit.wait)
        before = store.committer.commits
        tickets = [store.end(run_id, 1, Ending("completed", result=1)) for run_id in ("a", "lost", "b")]
        go_on.set()
        await first
        await tickets[0]
        await tickets[2]
        with pytest.raises(Fenced):
            await tickets[1]
        assert store.committer.commits == before + 2
        states = [(await store.get(run_id)).state for run_id in ("a", "lost", "b")]
        assert states == ["ended", "running", "ended"]
        assert [each.request for each in await store.answers("lost")] == ["1"]

    run(tmp_path, body, StoreOptions(fault=fault))


def test_what_has_nothing_to_do_is_no_commit(tmp_path: Path) -> None:
    commits: list[str] = []

    async def body(store: SqliteStore, flaky: Flaky) -> None:
        assert await store.create(new("r", pool=""), queued=True) == ("r", None, True)
        assert await store.take(Wanted(1)) == [("r", 1, "t")]
        assert len(commits) == 2
        assert (await store.take(Wanted(1)), await store.reap()) == ([], [])
        await store.charge("t", 1.0)
        assert len(commits) == 2
        flaky.before["COMMIT"] = 1  # nothing is missed where the store is reached anew
        assert await store.create(new("s", pool=""), queued=True) == ("s", None, True)
        assert await store.take(Wanted(1)) == [("s", 1, "t")]

    def fault(point: str) -> None:
        if point == "after-commit":
            commits.append(point)

    run(tmp_path, body, StoreOptions(fault=fault))


def test_a_take_in_vain_does_not_end_the_trouble_of_a_store(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        flaky.before["COMMIT"] = 10**9
        lost = store.create(new("r"))
        with pytest.raises(StoreFailed):
            await lost
        with pytest.raises(StoreFailed):
            await store.take(Wanted(1))
        assert store.trouble is not None

    run(tmp_path, body, StoreOptions(give_up_seconds=0.0))


@pytest.mark.parametrize("start", ["BEGIN", "UPDATE runs", "INSERT INTO entries", "INSERT INTO owners"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("has_effect", [False, True])
def test_a_write_that_the_disk_did_not_take_is_written_once(
    tmp_path: Path, start: str, times: int, has_effect: bool
) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        journal = await begun(store, "r", Turn("before"))
        made = flaky.connections
        (flaky.after if has_effect else flaky.before)[start] = times
        await written(journal, Turn("a"), Turn("b"))
        assert flaky.connections == made + times  # the old connection is not trusted again
        assert store.trouble is None
        await written(journal, Turn("after"))
        assert await inputs(store) == [Turn("before"), Turn("a"), Turn("b"), Turn("after")]

    run(tmp_path, body)


@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize("then", ["", "PRAGMA", "SELECT commits"])
def test_a_commit_of_unknown_outcome_is_looked_up(tmp_path: Path, has_effect: bool, then: str) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        journal = await begun(store, "r")
        (flaky.after if has_effect else flaky.before)["COMMIT"] = 1
        if then:
            flaky.before[then] = 2
        tickets: list[Ticket[Any]] = [store.create(new("other")), store.claim("r")]
        await written(journal, Turn("a"))
        assert await tickets[0] == ("other", 1, True)
        assert await tickets[1] is None
        await written(journal, Turn("b"))
        assert await inputs(store) == [Turn("a"), Turn("b")]

    run(tmp_path, body)


def test_nothing_is_written_behind_a_write_that_failed(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        journal = await begun(store, "r", Turn("a"))
        flaky.before["COMMIT"] = 1_000
        journal.record(1.0, Turn("lost"))
        first = journal.flush()
        journal.record(1.0, Turn("behind it"))
        second, third = journal.flush(), store.create(new("x"))
        with pytest.raises(StoreFailed, match="the store took nothing for too long: disk I/O error"):
            await first
        flaky.before.clear()
        with pytest.raises(StoreFailed):
            await second
        with suppress(StoreFailed):
            await third  # it may have been in the same batch
        while store.trouble is not None:  # noqa: ASYNC110
            await trio.sleep(0.001)
        for ticket in (store.append("r", 1, 1, []), store.release("r", 1)):
            with pytest.raises(StoreFailed, match="an earlier write of this run was lost"):
                await ticket
        assert await inputs(store) == [Turn("a")]
        assert await store.claim("r") == 2  # the same host may go on with it
        await written(Journal(store, "r", 2, 1), Turn("b"))
        assert await inputs(store) == [Turn("a"), Turn("b")]
        assert (await store.create(new("y"))).is_new

    run(tmp_path, body, StoreOptions(give_up_seconds=0.0))


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    async def body(store: SqliteStore, flaky: Flaky) -> None:
        journal = await begun(store, "r")
        flaky.before["COMMIT"] = 10**9
        journal.record(1.0, Answered("1", "x" * 600))
        first = journal.flush()
        while store.trouble is None:  # noqa: ASYNC110
            await trio.sleep(0.001)
        journal.record(1.0, Answered("2", "x" * 600))
        with pytest.raises(StoreFailed, match="more than 1,000 bytes wait to be written: disk I/O error"):
            await journal.flush()
        flaky.before.clear()
        await first
        with pytest.raises(StoreFailed, match="an earlier write of this run was lost"):
            await journal.flush()
        assert await inputs(store) == [Answered("1", "x" * 600)]

    run(tmp_path, body, StoreOptions(pending_bytes=1_000))


def test_a_write_that_cannot_be_prepared_harms_no_other(tmp_path: Path) -> None:
    class Refusing:
        accepts_plain = False

        def seal(self, data: bytes, _place: bytes) -> bytes:
            if b"refuse" in data:
                raise ZeroDivisionError
            return data

        def open(self, data: bytes, _place: bytes) -> bytes:
            return data

        def is_current(self, _data: bytes) -> bool:
            return True

    async def body(store: SqliteStore, _: Flaky) -> None:
        one = await begun(store, "r")
        two = await begun(store, "s")
        one.record(1.0, Turn("refuse"))
        two.record(1.0, Turn("x"))
        tickets = one.flush(), two.flush()
        with pytest.raises(Unstorable, match="ZeroDivisionError"):
            await tickets[0]
        await tickets[1]

    run(tmp_path, body, StoreOptions(sealer=Refusing()))


def test_a_store_that_is_damaged_is_not_tried_again(tmp_path: Path) -> None:
    def corrupt() -> sqlite3.DatabaseError:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        return error

    async def body(store: SqliteStore, flaky: Flaky) -> None:
        journal = await begun(store, "r")

        def around(sql: str, execute: Callable[[], object]) -> object:
            if sql.startswith("INSERT INTO entries"):
                raise corrupt()
            return execute()

        flaky.around = around  # type: ignore[method-assign]
        with pytest.raises(StoreFailed, match="malformed"):
            await written(journal, Turn("a"))

    run(tmp_path, body)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_threads_own_leaves_nobody_waiting(tmp_path: Path) -> None:
    def fault(point: str) -> None:
        if point == "before-begin" and armed:
            raise ZeroDivisionError

    armed: list[int] = []

    async def body(store: SqliteStore, _: Flaky) -> None:
        journal = await begun(store, "r")
        armed.append(1)
        tickets = []
        for number in range(3):
            journal.record(1.0, Turn(str(number)))
            tickets.append(journal.flush())
        for ticket in tickets:
            with pytest.raises(StoreFailed, match="the committing thread failed: ZeroDivisionError"):
                await ticket

    run(tmp_path, body, StoreOptions(fault=fault))


def test_a_store_that_was_closed_takes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db")
        journal = await begun(store, "r")
        journal.record(1.0, Turn("last"))
        last = journal.flush()
        await store.aclose()
        assert last.is_done
        await last
        with pytest.raises(StoreFailed, match="the store was closed"):
            await store.claim("r")

    trio.run(main)


def test_a_store_is_closed_though_its_database_answers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "LONGEST_SILENCE_SECONDS", 0.05)
    at_commit, go_on = threading.Event(), threading.Event()

    def fault(point: str) -> None:
        if point == "before-commit":
            at_commit.set()
            go_on.wait(DEADLINE_S)

    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db", StoreOptions(fault=fault))
        created = store.create(new("r"))
        await trio.to_thread.run_sync(at_commit.wait)
        with trio.fail_after(DEADLINE_S / 2):
            await store.aclose()
        assert not created.is_done
        go_on.set()
        assert (await created).is_new

    trio.run(main)


def test_a_ticket_can_be_awaited_often_late_and_from_a_thread(tmp_path: Path) -> None:
    async def body(store: SqliteStore, _: Flaky) -> None:
        ticket = store.create(new("r"))
        async with trio.open_nursery() as nursery:
            for _number in range(3):
                nursery.start_soon(ticket.durable)
            nursery.start_soon(trio.to_thread.run_sync, ticket.wait, DEADLINE_S)
        assert await ticket == ("r", 1, True)
        assert ticket.wait(0) == ("r", 1, True)
        failed = store.claim("none")
        for _number in range(2):
            with pytest.raises(Exception, match="the store has no run 'none'"):
                await failed

    run(tmp_path, body)
