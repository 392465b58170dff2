"""Postgres as the statements need it, by psycopg 3, which ``flowcage[postgres]`` brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, TypeAlias

from flowcage.host.durable.postgres.driver import psycopg, sql
from flowcage.host.durable.sql.database import Rows
from flowcage.host.durable.sql.write import Trouble

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

# A server that is cut off is noticed after half a minute, by both sides, unless the address says otherwise.
_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
# One that does not answer at all.
_ALIVE |= {"connect_timeout": 15}


def connected(address: str, schema: str, *, read_only: bool = False) -> Connection:
    """A connection for one thread at a time, without transactions of its own."""
    given = psycopg.conninfo.conninfo_to_dict(address)
    more: dict[str, Any] = {name: value for name, value in _ALIVE.items() if name not in given}
    connection: Connection = psycopg.connect(address, autocommit=True, **more)
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    if read_only:
        connection.execute("SET default_transaction_read_only = on")
    return connection


class PostgresDatabase:
    """One connection."""

    for_update = " FOR UPDATE"
    for_update_of_free = " FOR UPDATE SKIP LOCKED"

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Rows:
        return self.connection.execute(_translated(sql), params)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self.connection.cursor().executemany(_translated(sql), rows)

    def pipeline(self) -> AbstractContextManager[Callable[[], None]]:
        return self._pipeline()

    @contextmanager
    def _pipeline(self) -> Iterator[Callable[[], None]]:
        with self.connection.pipeline() as pipeline:
            yield pipeline.sync

    def hold_blobs(self) -> None:
        self.connection.execute("LOCK TABLE blob_uses IN SHARE ROW EXCLUSIVE MODE")

    def lock_queue(self) -> None:
        key = "hashtextextended(current_schema() || '.queue', 0)"  # a database may have several stores
        self.connection.execute(f"SELECT pg_advisory_xact_lock({key})")

    def begin(self) -> None:
        self.connection.execute("BEGIN")

    def begin_reading(self) -> None:
        self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()


@lru_cache(maxsize=256)
def _translated(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


def trouble_of(error: Exception) -> Trouble | None:
    """What an error means for a write."""
    if not isinstance(error, psycopg.Error):
        return None
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return Trouble.CONFLICT
    lasting = isinstance(error, psycopg.ProgrammingError | psycopg.NotSupportedError)
    return Trouble.LASTS if lasting else Trouble.PASSES


def told(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())
