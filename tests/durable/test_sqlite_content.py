"""What is in the file of a store: hidden, removed, and of older versions."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from flowcage.host.durable.errors import DamagedEntry, DamagedStore, Locked, StoreFailed
from flowcage.host.durable.history.forms import withhold_prompts
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.queue.records import Schedule, TurnLimits, Wanted
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sql import schema
from flowcage.host.durable.sqlite import files
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Answered, Charged, Said, Spent
from flowcage.protocol.messages import AgentRequest

from . import entries
from .places import Clock, begun, new, written
from .sqlite_file import changed, loaded, made, with_store

GOLDEN = Path(__file__).parent / "golden"
OF_THE_GOLDEN_STORE = 20  # inputs that there were when it was written; later kinds come behind them


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "runs.db"


# ---- what is in it ---------------------------------------------------------------------------


class Rot13:
    """An encryption that a test can see through."""

    def __init__(self, by: int = 13) -> None:
        self._by = by

    accepts_plain = False

    def seal(self, data: bytes, _place: bytes) -> bytes:
        return b"rot" + bytes([self._by]) + bytes((each + self._by) % 256 for each in data)

    def open(self, data: bytes, _place: bytes) -> bytes:
        if data[:4] != b"rot" + bytes([self._by]):
            raise ValueError("another key")
        return bytes((each - self._by) % 256 for each in data[4:])

    def is_current(self, _data: bytes) -> bool:
        return True


def test_a_sealer_hides_all_that_workflows_say(path: Path) -> None:
    options = StoreOptions(sealer=Rot13())
    secret = "correct horse battery staple"

    async def body(store: SqliteStore) -> None:
        run = new("r")
        run = run._replace(root=run.root._replace(source=f"// {secret}", args=f'"{secret}"'))
        await store.create(run)
        await store.append("r", 1, 0, [])
        journal = await begun(store, "s", Answered("1", secret))
        await store.answer("s", Answered("2", secret))
        assert journal.seq == 1
        await store.end("r", 1, Ending("completed", secret))

    with_store(path, body, options)
    assert secret.encode() not in path.read_bytes()
    assert loaded(path, options).workflows[""].source == f"// {secret}"
    with pytest.raises(DamagedEntry, match="it cannot be decrypted: another key"):
        loaded(path, StoreOptions(sealer=Rot13(7)))
    with pytest.raises(Locked, match="the store is encrypted; give it by --keys FILE"):
        loaded(path)


def test_prompts_are_not_in_the_file_where_that_is_asked_for(path: Path) -> None:
    said = Said("", requests=(AgentRequest("1", "correct horse battery staple"),))
    with_store(path, lambda store: begun(store, "r", said), StoreOptions(redact=withhold_prompts))

    assert b"battery" not in path.read_bytes()
    assert loaded(path).entries[0].digests is not None


def test_what_was_removed_is_overwritten(path: Path) -> None:
    async def body(store: SqliteStore) -> None:
        await begun(store, "r", Answered("1", "correct horse battery staple"))
        await store.end("r", 1, Ending("completed"))
        await store.delete("r")

    with_store(path, body)
    assert b"battery" not in path.read_bytes()


def test_the_log_is_moved_into_the_database_from_time_to_time(path: Path) -> None:
    async def body(store: SqliteStore) -> tuple[int, int]:
        journal = await begun(store, "r")
        for number in range(300):
            await written(journal, Answered(str(number), os.urandom(25_000).hex()))
        return os.stat(path).st_size, os.stat(f"{path}-wal").st_size

    size, log = with_store(path, body, durability="relaxed")
    assert size > 4_000_000
    assert log < 13_000_000


# ---- versions --------------------------------------------------------------------------------


def golden(path: Path, version: int = 1) -> None:
    """The store of a schema's version, as it was written then."""
    files.create(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript((GOLDEN / f"store-{version}.sql").read_text())
        db.execute(f"PRAGMA application_id = {files.APPLICATION_ID}")


def test_a_store_of_schema_version_1_is_read_for_ever(path: Path) -> None:
    golden(path)
    record = loaded(path)

    wanted = entries.INPUTS[: OF_THE_GOLDEN_STORE + 1]
    wanted[11:13] = [Charged("1", Spent(3, 1e-09))]  # in its place there are two of `Heard` now
    assert [each.input for each in record.entries] == wanted
    assert set(record.workflows) == {"", "3"}
    assert [each.answer for each in record.answers] == [Answered("9", "outside")]
    assert (record.ending, record.settings) == (None, {"model": "small"})
    ended = with_store(path, lambda store: store.load("ended"))
    assert ended.ending == Ending("completed", {"a": 1}, None, {"tokens": 3})


def test_a_store_of_schema_version_2_is_read_for_ever(path: Path) -> None:
    golden(path, 2)
    clock = Clock(1_500_000)

    async def body(store: SqliteStore) -> None:
        assert (await store.get("r")).pool is None
        begun_one, queued = await store.get("q2"), await store.get("q0")
        assert (begun_one.state, begun_one.held, begun_one.made_by) == ("queued", "why", "m")
        assert (queued.state, queued.pool, queued.priority, queued.made_by) == ("queued", "gpu", 0, "")
        assert await store.depths() == [
            ("", "u", 0, 1, 0, 0, 0, None),
            ("gpu", "t", 2, 0, 1, 1, 0, 1_000_000),
        ]
        assert await store.schedules() == [Schedule("night", "0 3 * * *", "t", 3_000_000, {"source": "x"})]
        assert await store.reap() == ["q1"]  # whoever had it is gone
        wanted = Wanted(9, ("gpu",), ("m",), lambda _tenant: TurnLimits(max_cost_usd=0.25))
        assert await store.take(wanted) == []  # all of it was spent
        assert await store.take(Wanted(9, ("gpu",))) == [("q1", 2, "t"), ("q0", 1, "t")]
        assert await store.take(Wanted(9, ("gpu",), ("m",))) == [("q2", 2, "t")]

    with_store(path, body, StoreOptions(clock=clock))


def test_each_version_of_the_schema_has_a_golden_store() -> None:
    assert len(list(GOLDEN.glob("store-*.sql"))) == schema.VERSION


def test_a_migration_is_whole_or_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden(path)
    released, version = schema._MIGRATIONS, schema.VERSION + 1
    monkeypatch.setattr(schema, "VERSION", version)
    monkeypatch.setattr(schema, "_MIGRATIONS", (*released, "CREATE TABLE more(x);\nNONSENSE;\n"))
    with pytest.raises(StoreFailed, match="syntax error"):
        SqliteStore.open(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT version FROM flowcage_schema").fetchone() == (1,)
        assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchone() is None

    monkeypatch.setattr(schema, "_MIGRATIONS", (*released, "CREATE TABLE more(x);\n"))
    assert loaded(path).summary.entries == OF_THE_GOLDEN_STORE
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT version FROM flowcage_schema").fetchone() == (version,)
        assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchone() == (1,)


def test_damage_anywhere_is_found_by_a_check(path: Path) -> None:
    made(path)
    with_store(path, lambda store: trio.to_thread.run_sync(store.check))
    data = bytearray(path.read_bytes())
    data[4 * 4096 : 4 * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)
    with closing(SqliteStore.open(path, read_only=True)) as store, pytest.raises(DamagedStore):
        store.check()


@pytest.mark.parametrize(
    "change",
    [
        "created_at = 'x'",
        "updated_at = x'00'",
        "written_at = 9e999",
        "verdict = x'00'",
        "tenant = x'ff'",
        r"source_name = '\x'",
        "forked_from = x'00'",
        "wake_at = 'soon'",
        "cancel_at = 'x'",
    ],
)
def test_a_column_of_another_type_is_damage_and_named(path: Path, change: str) -> None:
    """SQLite keeps any type in any column, and a number that is none breaks whoever reckons with it."""
    made(path)
    changed(path, f"UPDATE runs SET {change}")

    for read in (lambda store: store.get("r"), lambda store: store.load("r"), lambda store: store.runs()):
        with pytest.raises(DamagedEntry, match="a text of it" if "\\" in change else change.split()[0]):
            with_store(path, read)


@pytest.mark.parametrize("at", ["9e999", "-9e999", "'x'"])
def test_an_entry_at_no_time_is_damage(path: Path, at: str) -> None:
    made(path)
    changed(path, f"UPDATE entries SET at = {at} WHERE seq = 0")

    with pytest.raises(DamagedEntry, match="entry 0: has no time"):
        loaded(path)


@pytest.mark.parametrize("settings", ["x'00'", "1e6", "1000000000000", "'x'"])
def test_damage_of_the_newest_run_keeps_nobody_from_the_others(path: Path, settings: str) -> None:
    made(path)
    changed(path, f"UPDATE runs SET settings = {settings}")

    assert [each.run_id for each in with_store(path, lambda store: store.runs())] == ["r"]


def test_an_end_of_which_nothing_is_told_is_damage(path: Path) -> None:
    made(path)
    changed(path, "UPDATE runs SET state = 'ended', verdict = 'quarantined', ending = NULL")

    with pytest.raises(DamagedEntry, match="nothing says how"):
        loaded(path)
