"""Whether a connection goes through a pooler, and whether that one keeps its session.

A host is known to be alive by a lock of its session, and hears of news in it. A pooler that gives a session
to a client for the length of a transaction gives the lock away with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowcage.host.durable.errors import WrongStore

if TYPE_CHECKING:
    from flowcage.host.durable.postgres.connection import Connection

_TRIES = 3
_WHY = (
    "the address is that of a pooler (such as pgbouncer) that shares sessions between its clients, by "
    "transaction or by statement; give the address of the server, or of a pool whose pool_mode is session"
)


def is_direct(connection: Connection) -> bool:
    """Whether the server itself has answered: a pooler tells its clients of a process of its own."""
    return connection.info.backend_pid == _process(connection)


def require_session(connection: Connection, another: Callable[[], Connection]) -> None:
    """Refuse a pooler by which a second client comes upon the session of this one.

    Args:
        connection: through the pooler.
        another: makes a second one; it may fail where the pool is small, and then nothing is found out.

    Raises:
        WrongStore: it shares sessions.
    """
    with another() as second:
        for _ in range(_TRIES):  # other clients of the pool may come between
            first = _process(connection)
            with second.transaction():
                if first == _process(second) or first != _process(connection):
                    raise WrongStore(_WHY)


def _process(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])
