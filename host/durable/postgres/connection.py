"""Postgres as the statements need it, by psycopg 3, which ``flowcage[postgres]`` brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial
from typing import Any, TypeAlias

from flowcage.host.durable.postgres.driver import psycopg, sql
from flowcage.host.durable.postgres.pooler import is_direct, require_session
from flowcage.host.durable.sql.database import Rows
from flowcage.host.durable.sql.write import Trouble

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

# A server that is cut off is noticed after half a minute, unless the address says otherwise.
_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
# One that does not answer at all.
_ALIVE |= {"connect_timeout": 15}
# A standby takes no writes and knows nothing of the locks by which hosts are alive. libpq 14 has the word.
_PRIMARY = {"target_session_attrs": "primary"}
_LIBPQ_WITH_PRIMARY = 140_000
# What the server is told of each session. It notices as soon that a host is cut off: its runs would be kept
# from others for the hours after which its kernel asks by itself. Statements count on READ COMMITTED.
_SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "default_transaction_isolation": "read committed",
    "client_encoding": "UTF8",  # a database that has none gives bytes in the place of texts
}
# A session that listens has nothing to say for hours, and whose session ends is taken for dead. Since 14.
_LASTING = {"idle_session_timeout": "0"}
_SERVER_WITH_LASTING = 140_000
# A host that is stopped in a transaction has locks that others wait for. It begins the transaction anew.
_WRITING = {"idle_in_transaction_session_timeout": "10s"}
_READING = {"default_transaction_read_only": "on"}


def connected(address: str, schema: str, *, read_only: bool = False) -> Connection:
    """A connection for one thread at a time, without transactions of its own.

    Raises:
        WrongStore: it is to a pooler that shares sessions.
    """
    connection = _connection(address)
    try:
        if not is_direct(connection):
            require_session(connection, lambda: _connection(address))
        path = {"search_path": sql.Identifier(schema).as_string(connection)}
        lasting = _LASTING if connection.info.server_version >= _SERVER_WITH_LASTING else {}
        _set(connection, _SESSION | lasting | path | (_READING if read_only else _WRITING))
    except BaseException:
        connection.close()
        raise
    return connection


def _connection(address: str) -> Connection:
    given = psycopg.conninfo.conninfo_to_dict(address)
    wanted = _ALIVE | (_PRIMARY if psycopg.pq.version() >= _LIBPQ_WITH_PRIMARY else {})
    more: dict[str, Any] = {name: value for name, value in wanted.items() if name not in given}
    return psycopg.connect(address, autocommit=True, **more)


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    connection.execute(f"SELECT {calls}", [word for pair in settings.items() for word in pair])


class PostgresDatabase:
    """One connection."""

    for_update = " FOR UPDATE"
    for_update_of_free = " FOR UPDATE SKIP LOCKED"

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rest: list[Callable[[], object]] = []  # goes out with the next statement

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Rows:
        with self._behind_the_rest():
            return self.connection.execute(_translated(sql), params)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._behind_the_rest():
            self.connection.cursor().executemany(_translated(sql), rows)

    def later(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._rest.append(partial(self.connection.cursor().executemany, _translated(sql), rows))

    def _behind_the_rest(self) -> AbstractContextManager[object]:
        return self._pipeline() if self._rest else nullcontext()

    def pipeline(self) -> AbstractContextManager[Callable[[], None]]:
        return self._pipeline()

    @contextmanager
    def _pipeline(self) -> Iterator[Callable[[], None]]:
        with self.connection.pipeline() as pipeline:
            rest, self._rest = self._rest, []
            for send in rest:
                send()
            yield pipeline.sync

    def hold_blobs(self) -> None:
        self.execute("LOCK TABLE blob_uses IN SHARE ROW EXCLUSIVE MODE")

    def hold_runs(self, run_ids: Sequence[str]) -> None:
        held = "SELECT 1 FROM runs WHERE run_id = ANY(?) ORDER BY run_id FOR UPDATE"
        self.execute(held, [list(run_ids)])

    def lock_queue(self, where: str = "TRUE", params: Sequence[Any] = ()) -> Rows:
        key = "hashtextextended(current_schema() || '.queue', 0)"  # a database may have several stores
        return self.execute(f"SELECT pg_advisory_xact_lock({key}) WHERE {where}", params)

    def begin(self) -> None:
        self._rest.append(partial(self.connection.execute, "BEGIN"))

    def begin_reading(self) -> None:
        self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self._rest = []
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
    # The last: what has no room in one row of an index, or in one statement, never has.
    conflicts = psycopg.IntegrityError, psycopg.DataError, psycopg.errors.ProgramLimitExceeded
    if isinstance(error, conflicts):
        return Trouble.CONFLICT
    lasting = isinstance(error, psycopg.ProgrammingError | psycopg.NotSupportedError)
    return Trouble.LASTS if lasting else Trouble.PASSES


def told(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())
