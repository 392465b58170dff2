"""SQLite as the statements need it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from flowcage.host.durable.sql.database import Rows
from flowcage.host.durable.sql.write import Trouble

# How long a statement waits for a lock of a program that is none of ours.
BUSY_SECONDS = 5.0

_LASTING = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE}


class Connection(Protocol):
    """The part of `sqlite3.Connection` that is used, so that tests can put another build of SQLite there."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any: ...

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Any: ...

    def close(self) -> None: ...


Connect: TypeAlias = Callable[[str], Connection]


class SqliteDatabase:
    """One connection."""

    for_update = for_update_of_free = ""  # a transaction that writes is alone

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Rows:
        rows: Rows = self._connection.execute(sql, params)
        return rows

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    later = executemany

    def pipeline(self) -> AbstractContextManager[Callable[[], None]]:
        return nullcontext(lambda: None)

    def hold_blobs(self) -> None:
        pass

    def hold_runs(self, run_ids: Sequence[str]) -> None:
        pass

    def lock_queue(self, where: str = "TRUE", params: Sequence[Any] = ()) -> Rows:
        return self.execute(f"SELECT 1 WHERE {where}", params)

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def begin_reading(self) -> None:
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


def connected(uri: str) -> Connection:
    """A connection for one thread at a time, without transactions of its own."""
    return sqlite3.connect(uri, BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)


def uri_of(path: Path, mode: str) -> str:
    """A file as SQLite is told of it; ``%``, ``?`` and ``#`` in its name are no part of the syntax."""
    return f"{path.absolute().as_uri()}?{mode}"


def trouble_of(error: Exception) -> Trouble | None:
    """What an error means for a write."""
    if isinstance(error, OSError):  # of the lock beside the database
        return Trouble.PASSES
    if not isinstance(error, sqlite3.Error):
        return None
    if isinstance(error, sqlite3.IntegrityError):
        return Trouble.CONFLICT
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
    return Trouble.LASTS if code in _LASTING else Trouble.PASSES
