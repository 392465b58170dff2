"""Which hosts of one database are alive, and how one tells another that there is news.

Each host keeps a connection that holds an advisory lock in the name of the host: the server frees it when the
connection is gone, and the connection is gone when the process is. No clock decides, except the one by which
TCP gives up a machine that does not answer. The same connection listens for news, so an event loop waits for
it and no host polls. It must not go through a pooler that shares sessions.

If the connection breaks while the host lives, others may take its runs; its epochs are too low from then on.
Where the connections of all hosts broke at once, since the server was restarted or one of its processes was
killed, nobody is taken for dead for some seconds, in which those that live come back:

- The name of a host ends with the time at which the server was started when the host came: one with another
  time may be about to come back.
- A host that has not its own lock, or has had it again for some seconds only, judges nobody.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from hashlib import blake2b

import trio

from flowcage.host.durable.postgres.connection import Connection, connected
from flowcage.host.durable.postgres.driver import psycopg, sql
from flowcage.host.durable.sql.database import POOL, Database

# Between attempts to reach the server again.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0
# In which hosts come back whose connections broke.
COMING_BACK_SECONDS = 5.0
_STARTED = "(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint"
_LOCKS = f"""SELECT {_STARTED}, extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()),
ARRAY(SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory'
  AND objsubid = 1 AND granted AND (classid::bigint << 32) | objid::bigint IN (?, ?)
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""


def lock_of(owner: str) -> int:
    """The number of a host's lock."""
    return int.from_bytes(blake2b(owner.encode(), digest_size=8).digest(), "big", signed=True)


def is_alive(db: Database, owner: str, mine: str | None = None) -> bool:
    """Whether somebody holds a host's lock, or may be about to.

    Asking takes no lock, so two who ask do not see each other.

    Args:
        db: where the locks are.
        owner: the host.
        mine: that of who asks; None for one that has no lock.
    """
    if owner == mine:
        return True
    theirs, own = lock_of(owner), lock_of(mine or owner)
    started, seconds, held = db.execute(_LOCKS, (theirs, own)).fetchone()
    if theirs in held or (mine is not None and own not in held):
        return True
    return seconds < COMING_BACK_SECONDS and not owner.endswith(f"-{started:x}")


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
        self._judges_from = 0.0
        self.channel = f"{schema}_news"
        self.pools: frozenset[str] | None = None
        connection = connected(self._address, self._schema)
        self.owner = _new_name(connection)
        self._connection = self._listening(connection)

    def _listening(self, connection: Connection) -> Connection:
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (lock_of(self.owner),))
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self.channel)))
        except BaseException:
            connection.close()
            raise
        return connection

    def is_alive(self, db: Database, owner: str) -> bool:
        """Whether a host is, or whether that cannot be said yet."""
        return is_alive(db, owner, self.owner) or time.monotonic() < self._judges_from

    def tell(self, db: Database, owners: set[str]) -> None:
        """Tell hosts that there is news, once the transaction is committed; see `Scope.told`."""
        for owner in {""} if "" in owners else owners:
            db.execute("SELECT pg_notify(?, ?)", (self.channel, owner))

    async def news(self) -> bool:
        """Wait until somebody has told of news since the last call, or the connection was made anew.

        Returns:
            Whether it is of pools alone.
        """
        await trio.lowlevel.checkpoint()
        while True:  # what was read is told: a task that is cancelled then would take it from the others
            try:
                if told := self._told():
                    return all(each.startswith(POOL) for each in told)
                await trio.lowlevel.wait_readable(self._connection.fileno())
            except (psycopg.Error, OSError):
                await self._again()
                return False

    def _told(self) -> list[str]:
        """Take in what has come for this host, without waiting."""
        server = self._connection.pgconn
        server.consume_input()
        told = []
        while (note := server.notifies()) is not None:
            told.append(note.extra.decode())
        return list(filter(self._is_for_me, told))

    def _is_for_me(self, told: str) -> bool:
        if told.startswith(POOL):
            return self.pools is None or told.removeprefix(POOL) in self.pools
        return told in ("", self.owner)

    async def _again(self) -> None:
        self._connection.close()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                self._connection = await trio.to_thread.run_sync(self._connected_again)
            except psycopg.Error:
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                return

    def _connected_again(self) -> Connection:
        connection = connected(self._address, self._schema)
        self._judges_from = time.monotonic() + COMING_BACK_SECONDS  # before the lock says that it may judge
        return self._listening(connection)

    def close(self) -> None:
        """This host is gone."""
        self._connection.close()


def _new_name(connection: Connection) -> str:
    row = connection.execute(f"SELECT {_STARTED}").fetchone()
    assert row is not None
    machine = "".join(each for each in socket.gethostname() if each.isalnum() or each == "-")[:40]
    return f"{machine}-{os.getpid()}-{secrets.token_hex(8)}-{row[0]:x}"
