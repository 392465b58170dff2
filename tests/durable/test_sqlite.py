"""The file of a store: who may read it, what is refused, and what other programs or the disk do to it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import DamagedEntry, StoreFailed, WrongStore
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.sqlite.store import SqliteStore, default_path
from flowcage.host.run.core.inputs import Answered, Turn

from . import entries
from .places import SqlitePlace, begun, new, other_host, written
from .sqlite_file import changed, loaded, made, with_store

LAST = len(entries.INPUTS) - 1  # number of the last entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "runs.db"


# ---- who may read it -------------------------------------------------------------------------


def test_everything_is_for_its_owner_alone(path: Path) -> None:
    async def body(store: SqliteStore) -> dict[str, int]:
        await begun(store, "r", Turn(""))
        found = [path.parent, *path.parent.rglob("*")]
        return {each.name: stat.S_IMODE(each.stat().st_mode) for each in found}

    before = os.umask(0)
    try:
        modes = with_store(path, body)
    finally:
        os.umask(before)
    assert {"runs.db", "runs.db-wal", "runs.db-shm", "runs.db.lock", "runs.db.owners"} <= set(modes)
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_nothing_but_the_database_is_left_and_its_log_is_in_it(path: Path) -> None:
    made(path)

    assert {each.name for each in path.parent.rglob("*")} == {"runs.db", "runs.db.lock", "runs.db.owners"}


def test_a_name_of_any_characters_is_a_file(tmp_path: Path) -> None:
    odd = tmp_path / "a b%20?mode=memory#c.db"
    made(odd)

    assert odd.exists()
    assert loaded(odd).summary.entries == len(entries.INPUTS)


def test_a_users_runs_are_in_the_folder_for_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")

    assert default_path() == tmp_path / "flowcage" / "runs.db"


# ---- what is refused -------------------------------------------------------------------------


def refusal(path: Path, **more: Any) -> str:
    """Why a store is not opened."""
    before = {each: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    with pytest.raises(WrongStore) as caught:
        SqliteStore.open(path, **more)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before[path]  # it may be somebody's only copy
    return str(caught.value).removeprefix(str(path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("these are my notes\n" * 100)

    assert refusal(text) == " is no store of flowcage: it is no SQLite database; give another path"
    assert (
        refusal(text, read_only=True)
        == " is no store of flowcage: it is no SQLite database; give another path"
    )


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    changed(other, "CREATE TABLE runs(id)")

    assert refusal(other) == " is no store of flowcage: it is of another program; give another path"


def test_a_store_of_a_later_version_is_refused_unless_it_can_be_read(path: Path) -> None:
    made(path)
    changed(path, "UPDATE flowcage_schema SET version = 7, oldest_reader = 3")
    assert refusal(path) == (
        " was written by a later flowcage: its schema is version 7, this one reads up to 2; "
        "use a flowcage that is no older than the one that wrote it"
    )

    changed(path, "UPDATE flowcage_schema SET oldest_reader = 1")
    assert loaded(path).summary.entries == len(entries.INPUTS)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT version FROM flowcage_schema").fetchone() == (7,)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("ALTER TABLE runs RENAME COLUMN sleeps TO naps", "no such column: sleeps"),
        ("ALTER TABLE entries RENAME TO events", "no such table: entries"),
        (
            "ALTER TABLE flowcage_schema RENAME COLUMN oldest_reader TO oldest",
            "no such column: oldest_reader",
        ),
        ("UPDATE flowcage_schema SET version = 0", "its version is 0"),
        ("UPDATE flowcage_schema SET version = 'new'", "its version is 'new'"),
    ],
)
def test_a_store_of_an_unknown_schema_is_named_as_that(path: Path, sql: str, why: str) -> None:
    made(path)
    changed(path, sql)

    for read_only in (False, True):
        said = refusal(path, read_only=read_only)
        assert said.startswith(f" has a schema that no released flowcage has made ({why}): ")
        assert said.endswith("; use the flowcage that made it, or move it away to begin a new one")


def test_a_folder_cannot_be_imported(path: Path, tmp_path: Path) -> None:
    async def body(store: SqliteStore) -> None:
        with pytest.raises(WrongStore, match=r"is no file; give the one that export has written$"):
            await store.import_from(tmp_path)
        with pytest.raises(WrongStore, match=r"^there is no file "):
            await store.import_from(tmp_path / "none")

    with_store(path, body)


@pytest.mark.parametrize("kept", [8, 50, 99, 4096, -4096, -1])
def test_a_file_that_was_cut_off_is_refused(path: Path, kept: int) -> None:
    made(path)
    path.write_bytes(path.read_bytes()[:kept])

    assert " is cut off at " in refusal(path)
    assert "restore it from a backup" in refusal(path, read_only=True)


def test_damage_to_the_structure_is_found_when_the_store_is_opened(path: Path) -> None:
    made(path)
    data = bytearray(path.read_bytes())
    data[3 * 4096 : 3 * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)

    assert refusal(path).startswith(" is damaged: ")


def test_a_bit_that_was_turned_in_an_entry_is_found_when_it_is_read(path: Path) -> None:
    made(path)
    data = bytearray(path.read_bytes())
    data[data.index(b'"t":"compiled"') + 6] ^= 1
    path.write_bytes(data)

    with pytest.raises(DamagedEntry) as caught:
        loaded(path)
    assert str(caught.value).startswith("run r, entry ")
    assert caught.value.why == "its checksum is wrong: bytes were lost or changed"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM entries WHERE seq = 3", "run r, entry 3: is missing"),
        (f"DELETE FROM entries WHERE seq = {LAST}", f"run r, entry {LAST}: {LAST + 1} were written"),
        ("UPDATE entries SET data = x'00' WHERE seq = 2", "run r, entry 2: it is no value of this version's"),
        ("DELETE FROM blobs", "run r: the source of its workflow '' is missing"),
        ("DELETE FROM workflows", "run r: its root workflow is missing"),
        (
            'UPDATE runs SET rules = \'{"max_things": 1, "handlers": []}\'',
            "run r: its rules have max_things, which this flowcage does not know; use a newer one",
        ),
    ],
)
def test_what_is_missing_or_foreign_is_named(path: Path, statement: str, why: str) -> None:
    made(path)
    changed(path, statement)

    with pytest.raises(DamagedEntry) as caught:
        loaded(path)
    assert str(caught.value) == why


def test_a_store_that_another_program_locks_is_refused_in_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    monkeypatch.setattr("flowcage.host.durable.sqlite.connection.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreFailed, match="is locked by another program; end that first"):
            SqliteStore.open(path)


def test_two_hosts_that_make_one_store_at_once_make_one(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    program = f"await begun(store, str({'{}'}))\nprint('there', flush=True)\nimport sys\nsys.stdin.readline()"
    with other_host(place, program.format(1)) as one, other_host(place, program.format(2)) as two:
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "there\n"
    assert {run.run_id for run in with_store(Path(place.address), lambda store: store.runs())} == {"1", "2"}


def test_two_that_ask_at_once_whether_a_host_lives_do_not_see_each_other(path: Path) -> None:
    async def body(store: SqliteStore) -> None:
        left = Path(f"{path}.owners") / "gone"
        await trio.Path(left).touch()
        with left.open() as asking:
            fcntl.flock(asking, fcntl.LOCK_SH)
            assert not store.is_alive("gone")

    with_store(path, body)


def test_what_a_host_has_started_does_not_keep_it_alive(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    program = """await begun(store, 'r')
import subprocess, sys
kept = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=sys.stdin, close_fds=False)
print('begun', flush=True)
import trio
await trio.sleep_forever()"""
    with other_host(place, program) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
        process.wait(300)
        assert with_store(Path(place.address), lambda store: store.claim("r").durable()) == 2


def test_a_commit_waits_for_the_lock_between_hosts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcage.host.durable.sqlite.store.BUSY_SECONDS", 0.01)

    async def body(store: SqliteStore) -> None:
        journal = await begun(store, "r")
        with open(f"{path}.lock") as other:  # noqa: ASYNC230
            fcntl.flock(other, fcntl.LOCK_EX)
            journal.record(1.0, Turn(""))
            ticket = journal.flush()
            with trio.fail_after(300):
                while store.trouble is None:  # noqa: ASYNC110
                    await trio.sleep(0.001)
            assert "another host has held" in store.trouble
            assert not ticket.is_done
        await ticket

    with_store(path, body)


# ---- read-only -------------------------------------------------------------------------------


def test_a_store_can_be_read_without_a_trace(path: Path) -> None:
    made(path)
    before = {each: each.read_bytes() for each in path.parent.rglob("*") if each.is_file()}

    async def body(store: SqliteStore) -> None:
        assert (await store.load("r")).summary.entries == len(entries.INPUTS)
        with pytest.raises(StoreFailed, match="was opened for reading only"):
            await store.create(new("x"))

    with_store(path, body, read_only=True)
    left = {each: each.read_bytes() for each in path.parent.rglob("*") if each.is_file()}
    assert {each for each in left if not each.name.endswith(("-wal", "-shm"))} == set(before)
    assert left[path] == before[path]
    with pytest.raises(WrongStore, match="there is no store"):
        SqliteStore.open(path.with_name("none.db"), read_only=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


@pytest.mark.parametrize("with_log", [False, True])
def test_a_store_on_a_read_only_disk_can_be_read(small_disk: Path, with_log: bool) -> None:
    path = small_disk / "store" / "runs.db"
    made(path)
    if with_log:  # of a host that was killed
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE later(x)")
            for suffix in ("", "-wal", "-shm"):
                shutil.copy(f"{path}{suffix}", f"{path}.now{suffix}")
        for suffix in ("", "-wal", "-shm"):
            shutil.move(f"{path}.now{suffix}", f"{path}{suffix}")
    remount(small_disk, "ro")
    try:
        assert refusal(path).endswith("; open it with read_only=True")
        assert loaded(path, read_only=True).summary.entries == len(entries.INPUTS)
        with pytest.raises(WrongStore, match="its disk is read-only; give another path"):
            SqliteStore.open(small_disk / "new.db")
    finally:
        remount(small_disk, "rw")


def test_paid_answers_wait_until_the_disk_has_room_again(small_disk: Path) -> None:
    path, ballast = small_disk / "store" / "runs.db", small_disk / "ballast"

    async def body(store: SqliteStore) -> None:
        journal = await begun(store, "r")
        fill(ballast)
        for number in range(100):
            journal.record(1.0, Answered(str(number), os.urandom(1000).hex()))
        ticket = journal.flush()
        with trio.fail_after(300):
            while store.trouble is None:  # noqa: ASYNC110
                await trio.sleep(0.001)
        assert not ticket.is_done
        assert "full" in store.trouble
        with pytest.raises(StoreFailed, match="no run is begun while the store fails: "):
            await store.create(new("x"))
        ballast.unlink()
        with trio.fail_after(300):
            await ticket
        assert store.trouble is None
        await written(journal, Turn(""))

    with_store(path, body)
    assert loaded(path).summary.entries == 101


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            return


def test_what_waits_too_long_for_the_disk_fails_and_the_rest_is_whole(small_disk: Path) -> None:
    path, ballast = small_disk / "store" / "runs.db", small_disk / "ballast"

    async def body(store: SqliteStore) -> None:
        journal = await begun(store, "r", Turn(""))
        fill(ballast)
        with pytest.raises(StoreFailed, match=r"the store took nothing for too long: .*full") as caught:
            await written(journal, Answered("1", os.urandom(100_000).hex()))
        assert caught.value.child_alive
        ballast.unlink()
        with pytest.raises(StoreFailed):  # or a later entry would be there without this one
            await store.release("r", 1)

    with_store(path, body, StoreOptions(give_up_seconds=0.01))
    assert [each.input for each in loaded(path).entries] == [Turn("")]
