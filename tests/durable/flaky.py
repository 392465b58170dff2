"""A connection to SQLite that fails where a test wants it to: before a statement, or after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from flowcage.host.durable.sqlite.connection import Connection, connected


def io_error() -> sqlite3.OperationalError:
    """What SQLite raises where the disk fails."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    return error


class Flaky:
    """Fails at statements that begin so.

    Attributes:
        before, after: beginnings of statements, and how many more of them fail without and with effect.
        connections: that were made.
    """

    def __init__(self, before: dict[str, int] | None = None, after: dict[str, int] | None = None) -> None:
        self.before = before or {}
        self.after = after or {}
        self.connections = 0

    def connect(self, uri: str) -> Connection:
        self.connections += 1
        return _Connection(connected(uri), self)

    def around(self, sql: str, execute: Callable[[], Any]) -> Any:
        self._perhaps(self.before, sql)
        rows = execute()
        self._perhaps(self.after, sql)
        return rows

    def _perhaps(self, failing: dict[str, int], sql: str) -> None:
        for start, left in failing.items():
            if sql.startswith(start) and left:
                failing[start] -= 1
                raise io_error()


class _Connection:
    def __init__(self, real: Connection, flaky: Flaky) -> None:
        self._real = real
        self._flaky = flaky

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        return self._flaky.around(sql, lambda: self._real.execute(sql, parameters))

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Any:
        return self._flaky.around(sql, lambda: self._real.executemany(sql, parameters))

    def close(self) -> None:
        self._real.close()
