"""Large values of imported runs have names that nobody else's have."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.records import Ending

from .places import SqlitePlace, begun, host, workflow

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
            with pytest.raises(DamagedStore, match="under the name of another"):
                await store.import_from(path)
            assert await store.runs() == []
            await begun(store, "s", root=workflow(source=SOURCE))
            assert (await store.load("s")).workflows[""].source == SOURCE

    trio.run(main)


def test_a_run_moves_on_from_where_it_was_moved_to(tmp_path: Path) -> None:
    first, path = SqlitePlace(tmp_path / "0"), tmp_path / "0.db"

    async def main() -> None:
        there: Any = path
        await exported(first, there)
        for number in ("1", "2", "3"):
            async with host(SqlitePlace(tmp_path / number)) as store:
                assert await store.import_from(there) == ["r"]
                assert (await store.load("r")).workflows[""].source == SOURCE
                there = tmp_path / f"{number}.db"
                await store.export("r", there)

    trio.run(main)
