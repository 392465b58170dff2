"""Runs that move: copied row by row into a SQLite file of the same schema, and out of it.

Into a file values are copied as they are: sealed ones stay sealed, and large ones keep their names. Out of it
each is read and kept as if it were new here (`arriving`).

An open run is asleep in its new place, without an owner and without a time: it may still be
at work where it came from, so that somebody must decide that it goes on here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flowcage.host.durable.errors import AlreadyThere, UnknownRun
from flowcage.host.durable.sql.database import Database, Row, Scope
from flowcage.host.durable.sql.schema import TABLES, escaped
from flowcage.host.durable.sql.upkeep.arriving import Arriving, arriving, runs_of
from flowcage.host.durable.sql.write import Write

_ROWS_AT_ONCE = 500


def with_ancestors(db: Database, run_id: str) -> list[str]:
    """A run behind those that it was forked from, the oldest first. Raises `UnknownRun`."""
    found: list[str] = []
    following: str | None = run_id
    while following is not None and following not in found:
        row = db.execute("SELECT forked_from FROM runs WHERE run_id = ?", (following,)).fetchone()
        if row is None:
            raise UnknownRun(following)
        found.insert(0, following)
        following = row[0]
    return found


def copy(
    source: Database, target: Database, run_ids: Iterable[str], within: Callable[[bytes, bytes], bytes]
) -> None:
    """Copy runs with all that belongs to them.

    Args:
        source, target: from where, and where to.
        run_ids: of the runs.
        within: gives the payload of a blob, by its name and data.
    """
    for run_id in run_ids:
        for table, columns in TABLES.items():
            _copy_rows(source, target, table, columns, run_id)
        names = source.execute("SELECT hash FROM blob_uses WHERE run_id = ?", (run_id,)).fetchall()
        for (name,) in names:
            row = source.execute("SELECT hash, data FROM blobs WHERE hash = ?", (name,)).fetchone()
            if row is not None:
                target.execute(
                    "INSERT INTO blobs(hash, data) VALUES(?, ?) ON CONFLICT DO NOTHING",
                    (name, within(bytes(name), row[1])),
                )


def _copy_rows(source: Database, target: Database, table: str, columns: tuple[str, ...], run_id: str) -> None:
    names = ", ".join(columns)
    sql = f"SELECT {names} FROM {table} WHERE run_id = ?"
    _insert(target, table, source.execute(sql, (run_id,)).fetchall())


def _insert(target: Database, table: str, rows: Sequence[Row]) -> None:
    columns = TABLES[table]
    sql = f"INSERT INTO {table}({', '.join(columns)}) VALUES({', '.join('?' * len(columns))})"
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        target.executemany(sql, rows[start : start + _ROWS_AT_ONCE])


def _new(scope: Scope, run_ids: list[str]) -> list[str]:
    """Those that are not here. Raises `AlreadyThere` where all are."""
    sql = "SELECT 1 FROM runs WHERE run_id = ?"
    new = [run_id for run_id in run_ids if scope.db.execute(sql, (run_id,)).fetchone() is None]
    if not new:
        raise AlreadyThere("all runs of the file are in the store")
    return new


class Import(Write[list[str]]):
    """The runs of a file that are not here.

    Args:
        path: the file.
        tenant: whose they shall be.
        opened: opens it.
    """

    __slots__ = ("_arriving", "_open", "_path", "_tenant")

    def __init__(
        self, path: Path, tenant: str | None, opened: Callable[[Path], AbstractContextManager[Database]]
    ) -> None:
        super().__init__()
        self._path, self._tenant, self._open = path, tenant, opened
        self._arriving: list[Arriving] | None = None

    def prepare(self, scope: Scope) -> None:
        if self._arriving is None:
            with self._open(self._path) as source:
                new = _new(scope, runs_of(source))  # objects are written for no others
                self._arriving = [arriving(source, scope.payloads, run_id) for run_id in new]

    def run(self, scope: Scope) -> list[str]:
        assert self._arriving is not None
        new = _new(scope, [each.run_id for each in self._arriving])
        for each in self._arriving:
            if each.run_id in new:
                self._insert(scope, each)
            else:
                scope.dropped += filter(None, [blob.object for blob in each.blobs])
        scope.bytes_of.clear()
        return new

    def _insert(self, scope: Scope, each: Arriving) -> None:
        for table, rows in each.rows.items():
            _insert(scope.db, table, rows)
        scope.keep_blobs(each.run_id, each.blobs)
        self._settle_in(scope, each.run_id)

    def _settle_in(self, scope: Scope, run_id: str) -> None:
        sets: list[tuple[str, Any]] = [("owner", None), ("start_key", None), ("updated_at", scope.now)]
        sets += [("pool", None), ("held", ""), ("takeovers", 0)]
        if self._tenant is not None:
            sets.append(("tenant", escaped(self._tenant)))
        names = ", ".join(f"{name} = ?" for name, _ in sets)
        scope.db.execute(f"UPDATE runs SET {names} WHERE run_id = ?", (*(v for _, v in sets), run_id))
        scope.db.execute(
            """UPDATE runs SET state = 'asleep', wake_at = NULL
            WHERE run_id = ? AND state IN ('queued', 'running', 'asleep')""",
            (run_id,),
        )
