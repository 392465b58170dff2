"""Large values outside of the database, for stores of both kinds."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.blobs.folder import Folder
from flowcage.host.durable.blobs.values import LargeValues
from flowcage.host.durable.errors import DamagedEntry, StoreFailed, WrongStore
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sqlite.connection import SqliteDatabase, connected, uri_of
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Answered

from .places import DEADLINE_S, Clock, Place, begun, host, new, workflow, written


def large() -> str:
    """What does not become small when it is compressed."""
    return secrets.token_hex(100_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    made.mkdir()
    return made


def kept_at(folder: Path | str, **more: Any) -> StoreOptions:
    return StoreOptions(blobs=str(folder), blobs_from=50_000, **more)


def objects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def inputs(record: Any) -> list[Any]:
    return [each.input for each in record.entries]


def test_large_values_are_files_and_the_others_are_not(place: Place, folder: Path) -> None:
    answers = [Answered("1", large()), Answered("2", "small"), Answered("3", "x" * 300_000)]
    source = f"// {large()}\nexport default 1"

    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            await begun(store, "r", *answers, root=workflow(source=source, args=f'"{large()}"'))
            await store.answer("r", Answered("9", large()))
            await store.end("r", 1, Ending("interrupted", large()))
            assert len(objects(folder)) == 5  # what compresses well is in the database
            record = await store.load("r")
        async with host(place, kept_at(f"file://{folder}")) as store:
            assert await store.load("r") == record
        assert inputs(record) == answers
        assert record.workflows[""].source == source
        assert record.summary.bytes > 400_000

    trio.run(main)
    for path in objects(folder):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_object_goes_with_its_last_use(place: Place, folder: Path) -> None:
    both = Answered("1", large())

    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            for run_id in ("r", "s"):
                await begun(store, run_id, both)
                await store.end(run_id, 1, Ending("completed"))
            await store.delete("r")
            assert inputs(await store.load("s")) == [both]
        assert len(objects(folder)) == 1  # the second writer's own is gone
        async with host(place, kept_at(folder)) as store:
            await store.delete("s")
        assert objects(folder) == []

    trio.run(main)


def test_a_write_that_is_done_again_by_itself_keeps_its_object(place: Place, folder: Path) -> None:
    """A refused create has its group rolled back: what was noted of the others then counts no more."""

    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            await store.create(new("r"))
            source = f"// {large()}"
            tickets = [
                store.create(new(run_id, root=workflow(source=source))) for run_id in ("a", "r", "b", "c")
            ]
            for ticket in tickets[:1] + tickets[2:]:
                await ticket
            for run_id in ("a", "b", "c"):
                assert (await store.load(run_id)).workflows[""].source == source

    trio.run(main)


# ---- what is wrong with them -----------------------------------------------------------------


def gone(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def no_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    elsewhere = path.rename(path.with_name("elsewhere"))
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (gone, "is not there: it was removed, or the blobs of this store are elsewhere"),
        (cut_off, "is cut off at "),
        (changed, "is not the one that was written"),
        (longer, "is not the one that was written"),
        (no_file, "is none: it is no file"),
        (pipe, "is none: it is no file"),
        (link, "is none: it is a link"),
    ],
)
def test_an_object_that_is_wrong_is_named(
    place: Place, folder: Path, damage: Callable[[Path], None], why: str
) -> None:
    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            await begun(store, "r", Answered("1", "small"), Answered("2", large()))
            (path,) = objects(folder)
            damage(path)
            with pytest.raises(DamagedEntry, match=why) as raised:
                await store.load("r")
            assert path.name in str(raised.value)
            assert raised.value.seq == 1

    trio.run(main)


@pytest.mark.parametrize("is_link", [True, False])
def test_what_is_planted_in_the_place_of_an_object_is_not_written_to(folder: Path, is_link: bool) -> None:
    path, elsewhere = folder / "store" / "ab" / "name", folder / "elsewhere"
    path.parent.mkdir(parents=True)
    elsewhere.write_text("as it was")
    path.symlink_to(elsewhere) if is_link else os.mkfifo(path)
    with pytest.raises(OSError, match="symbolic links" if is_link else "No such device"):
        Folder(folder, "store").put("ab/name", b"data")
    assert elsewhere.read_text() == "as it was"


def test_objects_of_another_store_are_not_taken(place: Place, folder: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            await begun(store, "r", Answered("1", large()))
        async with host(place, DEFAULTS) as store:
            with pytest.raises(DamagedEntry, match="say where by --blobs URL"):
                await store.load("r")
        async with host(place, kept_at(tmp_path)) as store:
            with pytest.raises(StoreFailed, match=r"cannot be read: there is no folder .*mount its disk"):
                await store.load("r")

    trio.run(main)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("folder", "blobs are at an absolute path, or at a URL such as s3://BUCKET: 'folder'"),
        ("file://host/folder", "absolute path"),
        ("nothing://there", "blobs cannot be kept at nothing://there: .*nothing"),
        ("ftp://user:geheim@host/there", "the address of blobs has a password"),
        ("http://[/", "is no URL"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str, why: str) -> None:
    with pytest.raises(WrongStore, match=why) as raised:
        SqliteStore.open(tmp_path / "runs.db", kept_at(address))
    assert "geheim" not in str(raised.value)


def test_a_folder_that_is_not_there_is_waited_for_as_a_full_disk_is(place: Place, folder: Path) -> None:
    away = folder.rename(folder.with_name("away"))

    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            journal = await begun(store, "r")
            journal.record(1.0, Answered("1", large()))
            ticket = journal.flush()
            await until(lambda: store.trouble is not None)
            assert f"there is no folder {folder}; make it, or mount its disk" in str(store.trouble)
            assert not ticket.is_done
            os.rename(away, folder)
            await ticket
            assert len(inputs(await store.load("r"))) == 1
            assert store.trouble is None

    trio.run(main)


def test_a_place_that_takes_nothing_ends_runs_and_not_the_store(place: Place, folder: Path) -> None:
    async def main() -> None:
        async with host(place, kept_at(folder / "away", give_up_seconds=0.05)) as store:
            journal = await begun(store, "r")
            with pytest.raises(StoreFailed, match="blobs cannot be written to"):
                await written(journal, Answered("1", large()))
            await until(lambda: store.trouble is None)
            other = await begun(store, "s")
            await written(other, Answered("1", "small"))
            assert inputs(await store.load("s")) == [Answered("1", "small")]

    trio.run(main)


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await trio.sleep(0.01)


# ---- other places than a folder --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_what_fsspec_has_a_driver_for_is_a_place(place: Place, folder: Path, kind: str) -> None:
    address = f"memory://b{secrets.token_hex(8)}" if kind == "memory" else f"dir::file://{folder}"
    answers = [Answered(str(number), large()) for number in range(3)]

    async def main() -> None:
        async with host(place, kept_at(address)) as store:
            await begun(store, "r", *answers)
        async with host(place, kept_at(address)) as store:
            assert inputs(await store.load("r")) == answers
            outside = store._payloads.outside
            assert outside is not None
            assert len(list(outside.objects.names())) == 3
            await store.end_unowned("r", Ending("completed"))
            await store.delete("r")
        assert list(outside.objects.names()) == []

    trio.run(main)


def test_an_archive_of_objects_is_read_and_not_written(place: Place, folder: Path, tmp_path: Path) -> None:
    answers = [Answered("1", large())]

    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            await begun(store, "r", *answers)
        archive = shutil.make_archive(str(tmp_path / "backup"), "zip", folder)
        options = kept_at(f"zip://::file://{archive}", give_up_seconds=0.05)
        async with host(place, options) as store:
            assert inputs(await store.load("r")) == answers
            with pytest.raises(StoreFailed, match="blobs cannot be written to zip://"):
                await written(await begun(store, "s"), Answered("1", large()))

    trio.run(main)


# ---- moved, swept ----------------------------------------------------------------------------


def test_an_exported_file_has_all_of_its_runs(place: Place, folder: Path, tmp_path: Path) -> None:
    answers = [Answered("1", large())]
    out = tmp_path / "out.db"

    async def main() -> None:
        async with host(place, kept_at(folder)) as store:
            await begun(store, "r", *answers)
            await store.export("r", out)
            assert inputs(await store.load("r")) == answers
        alone = SqliteStore.open(out)
        try:
            assert inputs(await alone.load("r")) == answers
        finally:
            await alone.aclose()
        async with host(place, kept_at(folder)) as store:
            await store.end_unowned("r", Ending("completed"))
            await store.delete("r")
            await store.import_from(out)
            assert inputs(await store.load("r")) == answers

    trio.run(main)


def test_a_folder_syncs_a_file_and_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync

    def noted(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}").removeprefix(str(folder)))
        sync(file)

    monkeypatch.setattr(os, "fsync", noted)
    Folder(folder, "store").put("ab/name", b"data")
    assert synced == ["", "/store", "/store/ab/name", "/store/ab"]


def test_a_sweep_removes_what_nothing_refers_to(place: Place, folder: Path) -> None:
    clock = Clock(10_000)

    async def main() -> None:
        options = kept_at(folder, clock=clock)
        async with host(place, options) as store:
            await begun(store, "r", Answered("1", large()), Answered("2", large()))
            (kept, lost) = objects(folder)
            outside = store._payloads.outside
            assert outside is not None
            for _ in range(2):
                outside.add(bytes(32), b"left over")
                outside.settle()
                clock.now += 1000
            strange = kept.parent / "notes.txt"
            strange.touch()
            planted = kept.parent / f"{'0' * 64}-{0:012x}-{'0' * 16}"
            planted.mkdir()
            lost.unlink()
            lost.symlink_to(kept)
            dry = await store.sweep(11_000, dry_run=True)
            assert await store.sweep(11_000) == dry
            assert [len(dry.removed), [name.partition("/")[2] for name in dry.missing]] == [1, [lost.name]]
            assert len(objects(folder)) == 4
            assert (await store.sweep(12_000)).removed != dry.removed
            assert objects(folder) == sorted([kept, lost, strange])
        async with host(place) as store:
            assert await store.sweep(12_000) == ([], [])

    trio.run(main)


def test_of_what_is_rolled_back_no_object_is_taken_for_unneeded(tmp_path: Path, folder: Path) -> None:
    """It may be done again, and be the first then."""
    SqliteStore.open(tmp_path / "runs.db").close()
    payloads = Payloads(b"k", outside=LargeValues(Folder(folder, "store"), 1, Clock()))
    first, second = (payloads.pack_blob(b"equal", b"").blobs for _ in range(2))
    db = SqliteDatabase(connected(uri_of(tmp_path / "runs.db", "mode=rw")))
    try:
        scope = Scope(db, 0, "owner", lambda _: True, payloads)
        scope.keep_blobs("r", first)
        mark = scope.mark()
        scope.keep_blobs("s", second)
        scope.dropped.append("of a removal")
        assert scope.unneeded() == ["of a removal", second[0].object]
        scope.undo(mark)
        assert scope.unneeded() == []
    finally:
        db.close()
