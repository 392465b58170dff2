"""`SqliteStore`: the store that needs nothing but a file.

One connection writes, in the committing thread; another reads, one thread at a time. Several hosts may share
the file; what each writes is safe from the others by epochs, and from SQLite's own log by `WriteLock`.

``durability="full"`` waits for the disk with each commit. ``"relaxed"`` does not: a crash of the process
loses nothing, a loss of power the last commits, and what is left is a prefix in both cases.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import platformdirs

from flowcage.host.durable.errors import NoStore
from flowcage.host.durable.options import DEFAULTS, StoreOptions
from flowcage.host.durable.sql.committing.committer import Committer
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.opening import payloads_of
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.sqlstore import SqlStore, wall_clock
from flowcage.host.durable.sql.write import Trouble
from flowcage.host.durable.sqlite import files
from flowcage.host.durable.sqlite import owners as liveness
from flowcage.host.durable.sqlite.connection import (
    BUSY_SECONDS,
    Connect,
    SqliteDatabase,
    connected,
    trouble_of,
    uri_of,
)
from flowcage.host.durable.sqlite.lock import WriteLock
from flowcage.host.durable.sqlite.owners import Owners


def default_path() -> Path:
    """Where a user's runs are kept unless another path is given."""
    return Path(platformdirs.user_state_path("flowcage")) / "runs.db"


T = TypeVar("T")

Durability: TypeAlias = Literal["full", "relaxed", "off"]  # the last is for tests: it loses what it promises

_SYNCHRONOUS = {"full": "FULL", "relaxed": "NORMAL", "off": "OFF"}
_CHECKPOINT_AFTER_BYTES = 4 * 1024 * 1024
_CHECKPOINT_AFTER_COMMITS = 1000


class SqliteStore(SqlStore):
    """See `Store`. Made by `open`."""

    _owners: Owners | None = None
    _path: Path

    @classmethod
    def open(
        cls,
        path: Path | str,
        options: StoreOptions = DEFAULTS,
        *,
        durability: Durability = "full",
        read_only: bool = False,
        connect: Connect = connected,
    ) -> SqliteStore:
        """Open a store, or make one. It reads and writes files, so inside an event loop use a thread.

        Args:
            path: of the file.
            options: caps, what is redacted or encrypted.
            durability: see above.
            read_only: whether nothing is to be written, not even beside it. Then the file must be there.
            connect: another build of SQLite.

        Raises:
            WrongStore, DamagedStore, StoreFailed: with what to do.
        """
        path = Path(path)
        if read_only:
            return cls._open_for_reading(path, options, connect)
        with files.explained(path):
            return cls._open_for_writing(path, options, durability, connect)

    @classmethod
    def _open_for_writing(
        cls, path: Path, options: StoreOptions, durability: Durability, connect: Connect
    ) -> SqliteStore:
        files.create(path)
        files.require_sqlite(path)
        backend = _Backend(path, options, durability, connect)
        try:
            payloads = backend.prepare()
            owners = backend.owners = Owners(path)
            writer = backend.connect()
        except BaseException:
            backend.finish(None)
            raise
        committer = Committer(
            backend,
            owners.owner,
            options.pending_bytes,
            options.give_up_seconds,
            options.fault,
            options.on_trouble,
        )
        store = cls(owners.owner, options, payloads, files.reader(path, connect), committer)
        store._owners, store._path = owners, path
        backend.register(writer)
        committer.start(writer)
        return store

    @classmethod
    def _open_for_reading(cls, path: Path, options: StoreOptions, connect: Connect) -> SqliteStore:
        if not os.path.exists(path):
            raise NoStore(f"there is no store {path}")
        with files.explained(path):
            files.require_sqlite(path)
        reader = files.reader(path, connect)
        files.store_key(path, reader)
        with files.explained(path):
            payloads = payloads_of(reader, options, options.clock or wall_clock)
        committer = Committer(_Nothing(), "", options.pending_bytes, 0.0, None)
        committer.refuse_all(f"{path} was opened for reading only")
        store = cls("", options, payloads, reader, committer)
        store._path = path
        return store

    def check(self) -> None:
        """Look for damage in all of the file. Raises `DamagedStore`."""
        self._read_locked(lambda db: files.check(self._path, db, whole=True))  # type: ignore[arg-type]

    async def _read_news(self) -> bool:
        assert self._owners is not None, "nobody tells a host that cannot act"
        await self._owners.news()
        return False  # a pipe has no words

    def _on_reader(self, read: Callable[[Database], T]) -> T:
        with files.explained(self._path):
            return read(self._reader)

    def is_alive(self, owner: str) -> bool:
        if self._owners is None:  # of a store that is read only
            return liveness.is_alive(liveness.folder_of(self._path), owner)
        return self._owners.is_alive(owner)

    def _give_up_ownership(self) -> None:
        if self._owners is not None:
            self._owners.close()


class _Backend:
    """SQLite for the committing thread."""

    def __init__(self, path: Path, options: StoreOptions, durability: Durability, connect: Connect) -> None:
        self._path = path
        self._options = options
        self._synchronous = _SYNCHRONOUS[durability]
        self._connect = connect
        self._lock = WriteLock(path, BUSY_SECONDS)
        self._number: tuple[int, int] | None = None  # device and inode of the file
        self._now = options.clock or wall_clock
        self._payloads = Payloads(b"")
        self._bytes_of: dict[str, tuple[int, int]] = {}
        self._commits = self._wal_bytes = 0
        self.owners: Owners | None = None

    def prepare(self) -> Payloads:
        """Bring the file up to date, alone."""
        self._lock.acquire()
        try:
            with files.explained(self._path):
                db = SqliteDatabase(self._connect(uri_of(self._path, "mode=rw")))
                try:
                    db.execute("PRAGMA synchronous = FULL")
                    files.check(self._path, db)
                    files.prepare(self._path, db, self._now())
                    self._payloads = payloads_of(db, self._options, self._now)
                    db.execute("PRAGMA journal_mode = WAL")  # the tables are in the file itself by now
                finally:
                    db.close()
        finally:
            self._lock.release()
        return self._payloads

    def _connected(self) -> SqliteDatabase:
        db = SqliteDatabase(self._connect(uri_of(self._path, "mode=rw")))
        try:
            for pragma in (
                *(f"synchronous = {self._synchronous}", "wal_autocheckpoint = 0", "secure_delete = ON"),
                *("foreign_keys = OFF", "trusted_schema = OFF"),
            ):
                db.execute(f"PRAGMA {pragma}")
        except BaseException:
            db.close()
            raise
        return db

    def register(self, db: Database) -> None:
        """Have a row that says which commit of this host was the last."""
        assert self.owners is not None
        self.begin(db)
        for (owner,) in db.execute("SELECT owner FROM owners").fetchall():
            if not self.owners.is_alive(owner):
                db.execute("DELETE FROM owners WHERE owner = ?", (owner,))
        sql = "INSERT INTO owners(owner, commits, opened_at) VALUES(?, 0, ?)"
        db.execute(sql, (self.owners.owner, self._now()))
        self.commit(db, set())

    def connect(self) -> Database:
        return self._connected()

    def scope(self, db: Database) -> Scope:
        assert self.owners is not None
        alive, caps = self.owners.is_alive, (self._options.run_bytes, self._options.tenant_bytes)
        return Scope(db, self._now(), self.owners.owner, alive, self._payloads, *caps, self._bytes_of)

    def begin(self, db: Database) -> None:
        self._require_file()
        self._lock.acquire()
        db.begin()

    def _require_file(self) -> None:
        """Refuse to write to a file that has lost its name: SQLite would, and all of it would be gone."""
        try:
            found = os.stat(self._path)
            number = (found.st_dev, found.st_ino)
        except OSError:
            number = None
        self._number = self._number or number
        if number is None or number != self._number:
            raise sqlite3.DatabaseError(f"{self._path} was deleted or replaced while it was open")

    def commit(self, db: Database, told: set[str]) -> None:
        try:
            db.commit()
        finally:
            self._lock.release()
            if told and self.owners is not None:
                self.owners.tell(told)  # also where it is in doubt: who looks in vain loses nothing

    def rollback(self, db: Database) -> None:
        with suppress(Exception):
            db.rollback()
        self._lock.release()

    def settled(self, db: Database) -> None:
        """Move the log into the database from time to time."""
        self._commits += 1
        size = self._wal_size()
        if size < self._wal_bytes + _CHECKPOINT_AFTER_BYTES and self._commits < _CHECKPOINT_AFTER_COMMITS:
            return
        self.checkpoint(db)
        self._commits, self._wal_bytes = 0, size

    def checkpoint(self, db: Database) -> None:
        """Move as much of the log as no reader needs."""
        self._lock.acquire()
        try:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            self._lock.release()

    def finish(self, db: Database | None) -> None:
        try:
            if db is not None:
                self._lock.acquire()  # the last connection to a file moves all of the log
                db.close()
        finally:
            self._lock.close()  # which releases it

    def _wal_size(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size
        except OSError:
            return 0

    def trouble(self, error: Exception) -> Trouble | None:
        return trouble_of(error)


class _Nothing(_Backend):
    """Of a store that is read only."""

    def __init__(self) -> None:
        pass

    def finish(self, db: Database | None) -> None:
        pass
