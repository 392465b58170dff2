"""Which hosts of one database are alive, and how one tells another that there is news.

Each host keeps a connection that holds an advisory lock in the name of the host: the server frees it when the
connection is gone, and the connection is gone when the process is. No clock decides, except the one by which
TCP gives up a machine that does not answer. The same connection listens for news, so an event loop waits for
it and no host polls. It must not go through a pooler that shares sessions.

If the connection breaks while the host lives, others may take its runs; its epochs are too low from then on.
"""

from __future__ import annotations

import os
import secrets
import socket
from hashlib import blake2b

import trio

from flowcage.host.durable.postgres.connection import Connection, connected
from flowcage.host.durable.postgres.driver import psycopg, sql
from flowcage.host.durable.sql.database import POOL, Database

_PAUSE_SECONDS = 1.0  # between attempts to reach the server again


def lock_of(owner: str) -> int:
    """The number of a host's lock."""
    return int.from_bytes(blake2b(owner.encode(), digest_size=8).digest(), "big", signed=True)


def is_alive(db: Database, owner: str) -> bool:
    """Whether somebody holds a host's lock; asking takes none, so two who ask do not see each other."""
    number = lock_of(owner) % 2**64
    row = db.execute(
        """SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint = ? AND objid::bigint = ?""",
        (number >> 32, number & 0xFFFF_FFFF),
    ).fetchone()
    return row is not None


class Owners:
    """This host among those of one database.

    Args:
        address, schema: of the database.

    Attributes:
        owner: the name of this host, which no other ever had.
        channel: that news is told on.
        pools: whose news is for this host; None for all.
    """

    def __init__(self, address: str, schema: str) -> None:
        self._address, self._schema = address, schema
        machine = "".join(each for each in socket.gethostname() if each.isalnum() or each == "-")[:40]
        self.owner = f"{machine}-{os.getpid()}-{secrets.token_hex(8)}"
        self.channel = f"{schema}_news"
        self.pools: frozenset[str] | None = None
        self._connection = self._listening()

    def _listening(self) -> Connection:
        connection = connected(self._address, self._schema)
        connection.execute("SELECT pg_advisory_lock(%s)", (lock_of(self.owner),))
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self.channel)))
        return connection

    def tell(self, db: Database, owners: set[str]) -> None:
        """Tell hosts that there is news, once the transaction is committed; see `Scope.told`."""
        for owner in {""} if "" in owners else owners:
            db.execute("SELECT pg_notify(?, ?)", (self.channel, owner))

    async def news(self) -> None:
        """Wait until somebody has told of news since the last call, or the connection was made anew."""
        await trio.lowlevel.checkpoint()
        while True:  # what was read is told: a task that is cancelled then would take it from the others
            try:
                if self._has_news():
                    return
                await trio.lowlevel.wait_readable(self._connection.fileno())
            except (psycopg.Error, OSError):
                await self._again()
                return

    def _has_news(self) -> bool:
        """Take in what has come, without waiting."""
        server = self._connection.pgconn
        server.consume_input()
        told = []
        while (note := server.notifies()) is not None:
            told.append(note.extra.decode())
        return any(map(self._is_for_me, told))

    def _is_for_me(self, told: str) -> bool:
        if told.startswith(POOL):
            return self.pools is None or told.removeprefix(POOL) in self.pools
        return told in ("", self.owner)

    async def _again(self) -> None:
        self._connection.close()
        while True:
            try:
                self._connection = await trio.to_thread.run_sync(self._listening)
            except psycopg.Error:
                await trio.sleep(_PAUSE_SECONDS)
            else:
                return

    def close(self) -> None:
        """This host is gone."""
        self._connection.close()
