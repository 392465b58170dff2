"""Runs that move: copied row by row into a SQLite file of the same schema, and out of it.

Payloads are copied as they are: sealed ones stay sealed, and a blob keeps the name that it had. That of a
sealed one is bound to it; of another it is checked. A run's digest key goes with it.

An open run is asleep in its new place, without an owner and without a time: it may still be
at work where it came from, so that somebody must decide that it goes on here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from flowcage.host.durable.errors import AlreadyThere, DamagedStore, UnknownRun
from flowcage.host.durable.sql.database import Database, Row, Scope
from flowcage.host.durable.sql.payloads import is_named
from flowcage.host.durable.sql.schema import TABLES, escaped
from flowcage.host.durable.sql.write import Write

_ROWS_AT_ONCE = 500
_RUN = TABLES["runs"]


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


def _checked(keys: set[bytes], name: bytes, data: bytes) -> bytes:
    """Refuse what refers to an object, and a value under another's name, which later runs would get."""
    if bytes(data)[:1] == b"x":
        raise DamagedStore("the file refers to an object outside of it, as no exported file does")
    if not is_named(name, data, keys):
        raise DamagedStore(
            "the file has a large value under the name of another one, as no exported file has"
        )
    return data


def _keys_of(file: Database) -> set[bytes]:
    """Of the names of its values: of the store that wrote it, and of those where its runs were made."""
    rows = file.execute("SELECT store_key FROM flowcage_schema UNION SELECT digest_key FROM runs").fetchall()
    return {bytes(key) for (key,) in rows}


def _copy_rows(source: Database, target: Database, table: str, columns: tuple[str, ...], run_id: str) -> None:
    names = ", ".join(columns)
    rows: list[Row] = source.execute(f"SELECT {names} FROM {table} WHERE run_id = ?", (run_id,)).fetchall()
    marks = ", ".join("?" * len(columns))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        target.executemany(f"INSERT INTO {table}({names}) VALUES({marks})", part)


class Import(Write[list[str]]):
    """The runs of a file that are not here.

    Args:
        path: the file.
        tenant: whose they shall be.
        opened: opens it.
    """

    __slots__ = ("_open", "_path", "_tenant")

    def __init__(
        self, path: Path, tenant: str | None, opened: Callable[[Path], AbstractContextManager[Database]]
    ) -> None:
        super().__init__()
        self._path, self._tenant, self._open = path, tenant, opened

    def run(self, scope: Scope) -> list[str]:
        with self._open(self._path) as source:
            return self._import(scope, source)

    def _import(self, scope: Scope, source: Database) -> list[str]:
        db = scope.db
        rows = source.execute("SELECT run_id FROM runs ORDER BY created_at, run_id").fetchall()
        new = [
            run_id
            for (run_id,) in rows
            if db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is None
        ]
        if not new:
            raise AlreadyThere("all runs of the file are in the store")
        copy(source, db, new, partial(_checked, _keys_of(source) | {scope.payloads.key}))
        for run_id in new:
            self._settle_in(scope, run_id)
        scope.bytes_of.clear()
        return new

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
