"""Values of imported runs are kept as if they were new, and have names that nobody else's have."""

from __future__ import annotations

import secrets
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import AlreadyThere, DamagedStore, Locked, Unstorable
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sealing import Keyring
from flowcage.host.run.core.inputs import Answered

from . import entries
from .places import SqlitePlace, begun, host, workflow
from .sqlite_file import changed

SOURCE = "// what is meant " + "x" * 100


def forged(path: Path, body: bytes, tag: bytes) -> None:
    """Put something else in the place of each large value of a file."""
    data = tag + zlib.crc32(body).to_bytes(4, "big") + body
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE blobs SET data = ?", (data,))


async def exported(place: SqlitePlace, path: Path) -> None:
    """A run that is in a file, and in its store no more."""
    async with host(place) as store:
        await begun(store, "r", root=workflow(source=SOURCE))
        await store.export("r", path)
        await store.end("r", 1, Ending("completed"))
        await store.delete("r")


@pytest.mark.parametrize(
    ("tag", "body"), [(b"j", b"// what is done instead"), (b"z", zlib.compress(b"// what is done instead"))]
)
def test_no_file_brings_a_source_under_the_name_of_another(tmp_path: Path, tag: bytes, body: bytes) -> None:
    place, path = SqlitePlace(tmp_path), tmp_path / "out.db"

    async def main() -> None:
        await exported(place, path)
        forged(path, body, tag)
        async with host(place) as store:
            assert await store.import_from(path) == ["r"]
            await begun(store, "s", root=workflow(source=SOURCE))
            assert (await store.load("s")).workflows[""].source == SOURCE
            assert (await store.load("r")).workflows[""].source == "// what is done instead"

    trio.run(main)


def sealed(*names: str, **more: Any) -> StoreOptions:
    return StoreOptions(sealer=Keyring({name: name.encode().ljust(32) for name in names}, **more))


@pytest.mark.parametrize(
    ("there", "here", "error", "why"),
    [
        (sealed("old"), DEFAULTS, Locked, "encrypted with the key 'old'"),
        (sealed("old"), sealed("new"), Locked, "the key 'old', which is not among those given"),
        (DEFAULTS, sealed("new"), DamagedStore, "it is not encrypted, in a store that shall be"),
    ],
)
def test_no_file_brings_what_its_new_store_could_not_read(
    tmp_path: Path, there: StoreOptions, here: StoreOptions, error: type[Exception], why: str
) -> None:
    """In the place of a source it would be what later runs get."""
    one, two, path = SqlitePlace(tmp_path / "one"), SqlitePlace(tmp_path / "two"), tmp_path / "out.db"

    async def main() -> None:
        async with host(one, there) as store:
            await begun(store, "r", root=workflow(source=SOURCE))
            await store.export("r", path)
        async with host(two, here) as store:
            with pytest.raises(error, match=why):
                await store.import_from(path)
            assert await store.runs() == []
            await begun(store, "s", root=workflow(source=SOURCE))
            assert (await store.load("s")).workflows[""].source == SOURCE

    trio.run(main)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (DEFAULTS, DEFAULTS),
        (sealed("old"), sealed("new", "old")),
        (DEFAULTS, sealed("new", accepts_plain=True)),
    ],
)
def test_what_is_imported_is_kept_as_if_it_were_new(
    tmp_path: Path, there: StoreOptions, here: StoreOptions
) -> None:
    one, two, path = SqlitePlace(tmp_path / "one"), SqlitePlace(tmp_path / "two"), tmp_path / "out.db"
    (tmp_path / "blobs").mkdir()
    large = secrets.token_hex(50_000)

    async def main() -> None:
        async with host(one, there) as store:
            root = workflow(source=SOURCE, args=f'"{large}1"')
            await begun(store, "r", *entries.INPUTS, root=root, settings=f"{large}2")
            await store.add_workflow("r", 1, workflow("3", f"// {large}"))
            await store.answer("r", Answered("9", f"{large}4"))
            await store.end("r", 1, Ending("failed", f"{large}5"))
            before = await store.load("r")
            await store.export("r", path)
        outside = here._replace(blobs=str(tmp_path / "blobs"), blobs_from=10_000)
        for again in range(2):
            async with host(two, outside) as store:
                if not again:
                    assert await store.import_from(path) == ["r"]
                after = await store.load("r")
                told: Any = {"bytes": after.summary.bytes, "updated_at": after.summary.updated_at}
                assert after == before._replace(summary=before.summary._replace(**told, owner=None))
                assert after.summary.bytes > 200_000
                if here.sealer is not None:
                    assert await store.reseal() == (0, [])
                assert len([each for each in (tmp_path / "blobs").rglob("*-*") if each.is_file()]) == 4
                with pytest.raises(AlreadyThere):
                    await store.import_from(path)
        async with host(two, outside) as store:
            await store.delete("r")
            assert (await store.sweep(store.now() + 1)).missing == []
        assert not [each for each in (tmp_path / "blobs").rglob("*-*") if each.is_file()]

    trio.run(main)


def test_a_sealed_source_of_another_run_is_not_imported(tmp_path: Path) -> None:
    one, two, path = SqlitePlace(tmp_path / "one"), SqlitePlace(tmp_path / "two"), tmp_path / "out.db"

    async def main() -> None:
        async with host(one, sealed("old")) as store:
            await begun(store, "other", root=workflow(source="// another"))
            await store.end("other", 1, Ending("completed"))
            await begun(store, "r", root=workflow(source=SOURCE), forked_from="other", forked_at=0)
            await store.export("r", path)
        changed(path, "UPDATE workflows SET source = (SELECT source FROM workflows WHERE run_id = 'other')")
        async with host(two, sealed("old")) as store:
            with pytest.raises(DamagedStore, match="another one than its run was begun with"):
                await store.import_from(path)

    trio.run(main)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET data = 10000000000",
        "UPDATE entries SET data = 'text'",
        "UPDATE runs SET settings = 1.5",
        "UPDATE workflows SET terms = (SELECT settings FROM runs)",
        "UPDATE workflows SET source = 7",
        "UPDATE blobs SET data = x'78'",
        "UPDATE blobs SET data = 5000000000",
        "DELETE FROM blobs",
    ],
)
def test_what_is_no_value_is_not_imported(tmp_path: Path, statement: str) -> None:
    one, two, path = SqlitePlace(tmp_path / "one"), SqlitePlace(tmp_path / "two"), tmp_path / "out.db"

    async def main() -> None:
        async with host(one) as store:
            await begun(store, "r", *entries.INPUTS, root=workflow(source=SOURCE))
            await store.export("r", path)
        changed(path, statement)
        async with host(two) as store:
            with pytest.raises((DamagedStore, Unstorable)):
                await store.import_from(path)
            assert await store.runs() == []
            await begun(store, "s")

    trio.run(main)


def test_a_run_moves_on_from_where_it_was_moved_to(tmp_path: Path) -> None:
    """With what each of the stores has added."""
    first, path = SqlitePlace(tmp_path / "0"), tmp_path / "0.db"
    given = [Answered(number, number * 100_000) for number in "123"]

    async def main() -> None:
        there: Any = path
        await exported(first, there)
        for count, answer in enumerate(given, 1):
            async with host(SqlitePlace(tmp_path / str(count))) as store:
                assert await store.import_from(there) == ["r"]
                await store.answer("r", answer)
                record = await store.load("r")
                assert record.workflows[""].source == SOURCE
                assert [each.answer for each in record.answers] == given[:count]
                there = tmp_path / f"{count}.db"
                await store.export("r", there)

    trio.run(main)
