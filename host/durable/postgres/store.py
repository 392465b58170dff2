"""`PostgresStore`: the store for hosts on many machines.

It keeps three connections: one that writes, in the committing thread; one that reads; and one that holds this
host's lock and listens (`owners`). The tables are in a schema of their own. Statements of a group that wait
for nothing of each other are sent in one go (pipeline mode).

Commits are as durable as the server makes them: ``synchronous_commit`` and replication are its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import trio

from flowcage.host.durable.address import SCHEMA
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.postgres import owners as liveness
from flowcage.host.durable.postgres.clock import ServerClock
from flowcage.host.durable.postgres.connection import (
    PostgresDatabase,
    connected,
    told,
    trouble_of,
)
from flowcage.host.durable.postgres.driver import psycopg, require_driver
from flowcage.host.durable.postgres.opening import no_store, not_opened, prepare, version_of
from flowcage.host.durable.postgres.owners import Owners
from flowcage.host.durable.sql.committing.committer import Committer
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.opening import payloads_of
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.sqlstore import SqlStore
from flowcage.host.durable.sql.write import Trouble

T = TypeVar("T")

# Between attempts to read while the server is away.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


class PostgresStore(SqlStore):
    """See `Store`. Made by `open`."""

    _owners: Owners | None = None
    _address: str
    _schema: str

    @classmethod
    def open(
        cls,
        address: str,
        options: StoreOptions = DEFAULTS,
        *,
        schema: str = SCHEMA,
        read_only: bool = False,
        makes: bool = True,
    ) -> PostgresStore:
        """Open a store, or make one. It waits for the server, so inside an event loop use a thread.

        Args:
            address: as libpq has it, ``postgresql://…`` or ``host=… dbname=…``.
            options: caps, what is redacted or encrypted.
            schema: that the tables are in.
            read_only: whether nothing is to be written, and no other host is to see this one.
            makes: whether the schema and its tables are made where there are none.

        Raises:
            NoStore, WrongStore, DamagedStore, StoreFailed: with what to do.
            ImportError: psycopg is not installed; ``flowcage[postgres]`` installs it.
        """
        require_driver()
        if read_only:
            return cls._open_for_reading(address, options, schema)
        opened: list[PostgresDatabase | Owners] = []
        try:
            writer = PostgresDatabase(connected(address, schema))
            opened.append(writer)
            clock = options.clock or ServerClock(writer)
            prepare(writer, schema, clock(), makes=makes)
            payloads = payloads_of(writer, options, clock)
            owners = Owners(address, schema)
            opened.append(owners)
            reader = PostgresDatabase(connected(address, schema))
            opened.append(reader)
            backend = _Backend(address, schema, options, clock, payloads, owners)
            backend.register(writer)
        except BaseException as error:
            for each in opened:
                each.close()
            if isinstance(error, psycopg.Error):
                raise not_opened(error) from error
            raise
        committer = Committer(
            backend,
            owners.owner,
            options.pending_bytes,
            options.give_up_seconds,
            options.fault,
            options.on_trouble,
        )
        store = cls(owners.owner, options._replace(clock=clock), payloads, reader, committer)
        store._owners, store._address, store._schema = owners, address, schema
        committer.start(writer)
        return store

    @classmethod
    def _open_for_reading(cls, address: str, options: StoreOptions, schema: str) -> PostgresStore:
        try:
            reader = PostgresDatabase(connected(address, schema, read_only=True))
            try:
                if version_of(reader, schema) == 0:
                    raise no_store(schema)
                clock = options.clock or ServerClock(reader)
                payloads = payloads_of(reader, options, clock)
                options = options._replace(clock=clock)
            except BaseException:
                reader.close()
                raise
        except psycopg.Error as error:
            raise not_opened(error) from error
        committer = Committer(_Nothing(), "", options.pending_bytes, 0.0, None)
        committer.refuse_all("the store was opened for reading only")
        store = cls("", options, payloads, reader, committer)
        store._address, store._schema = address, schema
        return store

    async def _read_news(self) -> bool:
        assert self._owners is not None, "nobody tells a host that cannot act"
        return await self._owners.news()

    def _hear_of(self, pools: frozenset[str] | None) -> None:
        if self._owners is not None:
            self._owners.pools = pools

    def is_alive(self, owner: str) -> bool:
        if self._owners is None:
            return liveness.is_alive(self._reader, owner)
        return self._owners.is_alive(self._reader, owner)

    def _give_up_ownership(self) -> None:
        if self._owners is not None:
            self._owners.close()

    async def _read(self, read: Callable[[Database], T]) -> T:
        """Read; while the server is away this waits, as long as a write does."""
        until, pause = trio.current_time() + self._options.give_up_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await super()._read(read)
            except _Away:
                if trio.current_time() + pause > until:
                    raise
            await trio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _on_reader(self, read: Callable[[Database], T]) -> T:
        try:
            if isinstance(clock := self._options.clock, ServerClock):
                clock.refresh(self._reader)
            return read(self._reader)
        except psycopg.Error:
            with suppress(Exception):
                self._reader.close()
        try:
            is_only = self._owners is None
            self._reader = PostgresDatabase(connected(self._address, self._schema, read_only=is_only))
            return read(self._reader)
        except psycopg.Error as error:
            kind = _Away if trouble_of(error) is Trouble.PASSES else StoreFailed
            raise kind(f"the store in Postgres cannot be read: {told(error)}") from error


class _Away(StoreFailed):
    """It may be back soon."""


class _Backend:
    """Postgres for the committing thread."""

    def __init__(
        self,
        address: str,
        schema: str,
        options: StoreOptions,
        clock: Callable[[], int],
        payloads: Payloads,
        owners: Owners,
    ) -> None:
        self._address, self._schema = address, schema
        self._options = options
        self._payloads = payloads
        self._owners = owners
        self._now = clock
        self._bytes_of: dict[str, tuple[int, int]] = {}

    def register(self, db: Database) -> None:
        """Have a row that says which commit of this host was the last."""
        for (owner,) in db.execute("SELECT owner FROM owners").fetchall():
            if not self._owners.is_alive(db, owner):
                db.execute("DELETE FROM owners WHERE owner = ?", (owner,))
        db.execute(
            "INSERT INTO owners(owner, commits, opened_at) VALUES(?, 0, ?)", (self._owners.owner, self._now())
        )

    def connect(self) -> Database:
        return PostgresDatabase(connected(self._address, self._schema))

    def scope(self, db: Database) -> Scope:
        if isinstance(self._now, ServerClock):
            self._now.refresh(db)
        caps = (self._options.run_bytes, self._options.tenant_bytes)
        owner = self._owners.owner
        return Scope(
            db,
            self._now(),
            owner,
            lambda other: self._owners.is_alive(db, other),
            self._payloads,
            *caps,
            self._bytes_of,
        )

    def begin(self, db: Database) -> None:
        db.begin()

    def commit(self, db: Database, told: set[str]) -> None:
        self._owners.tell(db, told)
        db.commit()

    def rollback(self, db: Database) -> None:
        with suppress(Exception):
            db.rollback()

    def settled(self, db: Database) -> None:
        pass

    def finish(self, db: Database | None) -> None:
        if db is not None:
            db.close()

    def trouble(self, error: Exception) -> Trouble | None:
        return trouble_of(error)


class _Nothing(_Backend):
    """Of a store that is read only."""

    def __init__(self) -> None:
        pass

    def finish(self, db: Database | None) -> None:
        pass
