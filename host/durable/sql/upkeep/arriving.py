"""The runs of a file, with their values as this store keeps what is new.

Each value is read as a stranger's, and packed anew: named by this store's key, sealed with its newest, large
ones outside of the database where this store has them there. So nothing that a file says has a name here
that it does not deserve, and what this store could not read is refused and not kept.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from flowcage.host.durable.errors import DamagedStore
from flowcage.host.durable.sql.database import Database, Row
from flowcage.host.durable.sql.payloads import Blob, Packed, Payloads, place
from flowcage.host.durable.sql.schema import TABLES
from flowcage.host.durable.sql.workflows import encoded_terms


class Arriving(NamedTuple):
    """A run: its rows by table, but for those of large values."""

    run_id: str
    rows: dict[str, list[Row]]
    blobs: list[Blob]


def runs_of(source: Database) -> list[str]:
    """The runs of a file, the oldest first."""
    rows = source.execute("SELECT run_id FROM runs ORDER BY created_at, run_id").fetchall()
    return [run_id for (run_id,) in rows]


def arriving(source: Database, payloads: Payloads, run_id: str) -> Arriving:
    """A run of a file, in memory with all that it has.

    Args:
        source: the file.
        payloads: of this store.
        run_id: of the run.

    Raises:
        DamagedStore: a value is not what was stored there.
        Locked: one is encrypted, and its key is not there.
    """
    return _Reading(source, payloads, run_id).all()


class _Reading:
    """Of one run."""

    def __init__(self, source: Database, payloads: Payloads, run_id: str) -> None:
        self._source, self._run_id = source, run_id
        self._here, self._there = payloads, Payloads(payloads.key, payloads.sealer)
        self._blobs: list[Blob] = []
        self._bytes = 0

    def all(self) -> Arriving:
        run_id = self._run_id
        rows = {
            "workflows": [self._workflow(row) for row in self._rows("workflows")],
            "entries": [self._with(row, 4, "entry", row[1]) for row in self._rows("entries")],
            "answers": [self._with(row, 3, "answer", row[1]) for row in self._rows("answers")],
        }
        rows["runs"] = [self._run(row) for row in self._rows("runs")]
        return Arriving(run_id, rows, self._blobs)

    def _rows(self, table: str) -> list[Row]:
        sql = f"SELECT {', '.join(TABLES[table])} FROM {table} WHERE run_id = ?"
        return self._source.execute(sql, (self._run_id,)).fetchall()

    def _run(self, row: Row) -> Row:
        """With the size that its values have here."""
        names = TABLES["runs"]
        for name in ("settings", "ending"):
            row = self._with(row, names.index(name), name)
        at = names.index("bytes")
        return (*row[:at], self._bytes, *row[at + 1 :])

    def _workflow(self, row: Row) -> Row:
        run_id, path, name, args, terms = row
        where = place("terms", run_id, path)
        source = self._kept(self._here.pack_blob(self._there.unpack_blob(name, self._fetched(name)), b""))
        members: dict[str, Any] = json.loads(self._plain(terms, where))
        if members.pop("source", bytes(name).hex()) != bytes(name).hex():
            raise DamagedStore("a source in the file is another one than its run was begun with")
        here = source.blobs[0].hash
        packed = self._kept(self._here.pack(encoded_terms(members, self._here, here), where))
        return (run_id, path, here, self._again(args, place("args", run_id, path)), packed.data)

    def _with(self, row: Row, at: int, column: str, *key: str | int) -> Row:
        """A row with one of its values packed anew."""
        return (*row[:at], self._again(row[at], place(column, self._run_id, *key)), *row[at + 1 :])

    def _again(self, data: Any, where: bytes) -> bytes | None:
        if data is None:
            return None
        return self._kept(self._here.pack(self._plain(data, where), where)).data

    def _kept(self, packed: Packed) -> Packed:
        self._blobs += packed.blobs
        self._bytes += packed.size
        return packed

    def _plain(self, data: Any, where: bytes) -> bytes:
        return self._there.unpack(_bytes(data), where, self._fetched)

    def _fetched(self, name: bytes) -> bytes:
        row = self._source.execute("SELECT data FROM blobs WHERE hash = ?", (name,)).fetchone()
        if row is None:
            raise DamagedStore("a large value is missing in the file")
        if bytes(_bytes(row[0])[:1]) == b"x":
            raise DamagedStore("the file refers to an object outside of it, as no exported file does")
        return _bytes(row[0])


def _bytes(data: Any) -> bytes:
    """A file of SQLite's may have anything in a column."""
    if not isinstance(data, bytes):
        raise DamagedStore(f"a value in the file is no bytes: {data!r:.40}")
    return data
