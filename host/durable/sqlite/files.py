"""A store's file: made for its owner alone, recognised, checked, brought up to date; files of single runs.

Beside ``runs.db`` lie SQLite's own files, ``runs.db.lock`` (`lock`) and ``runs.db.owners/`` (`owners`).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowcage.host.durable.errors import DamagedStore, StoreFailed, WrongStore
from flowcage.host.durable.sql import schema
from flowcage.host.durable.sqlite.connection import Connect, SqliteDatabase, connected, uri_of

APPLICATION_ID = 0x666C6361  # "flca"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_PLACE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO}
_MAGIC = b"SQLite format 3\0"
_CHECKED_UP_TO = 16 * 1024 * 1024  # bytes; checking reads all of the file
_ADVICE = "restore it from a backup, or move it away to begin a new one"


def create(path: Path) -> None:
    """Make an empty file that only its owner may read, in a folder of the same kind, where there is none."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        if error.errno in _NO_PLACE | _NOT_ALLOWED:
            why = "its disk is read-only" if error.errno == errno.EROFS else error.strerror
            raise WrongStore(f"{path} cannot be made: {why}; give another path") from None
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or the file's name may be lost with the power, and all that is in it
    finally:
        os.close(folder)


def require_sqlite(path: Path) -> None:
    """Refuse what is none of ours, or the first part of one, without opening it as a database.

    A file with a journal is that of a host that ended while it made the tables; SQLite undoes it. Tables are
    made so, before there is a write-ahead log, that a store has its mark in the file from the beginning on.

    Raises:
        WrongStore, DamagedStore.
    """
    if not path.is_file():  # a named pipe would be waited for, a device has no file beside it
        raise WrongStore(f"{path} is no file; give another path")
    with path.open("rb") as file:
        header = file.read(100)
        size = file.seek(0, os.SEEK_END)
    if not size or _has_content(f"{path}-journal"):
        return
    if not _MAGIC.startswith(header[:16]):
        raise WrongStore(f"{path} is no store of flowcage: it is no SQLite database; give another path")
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    whole = 0 if _has_content(f"{path}-wal") else (65536 if page == 1 else page) * pages
    if len(header) < 100 or size < whole:
        raise DamagedStore(f"{path} is cut off at {size:,} bytes; {_ADVICE}")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise WrongStore(f"{path} is no store of flowcage: it is of another program; give another path")


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except FileNotFoundError:
        return False


def prepare(path: Path, db: SqliteDatabase, now: int, key: bytes | None = None) -> bytes:
    """Bring a store's tables up to date. Its key.

    Args:
        path: for messages.
        db: a connection that nobody else writes beside.
        now: milliseconds since 1970.
        key: of a new store.

    Raises:
        WrongStore, DamagedStore, StoreFailed.
    """
    with explained(path):
        db.begin()
        try:
            version = _version(path, db)
            for statement in schema.statements_after(version, postgres=False):
                db.execute(statement)
            if version == 0:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(
                    "INSERT INTO flowcage_schema VALUES(?, ?, ?, ?)",
                    (schema.VERSION, schema.OLDEST_READER, key or secrets.token_bytes(32), now),
                )
            elif version < schema.VERSION:
                db.execute(
                    "UPDATE flowcage_schema SET version = ?, oldest_reader = ?",
                    (schema.VERSION, schema.OLDEST_READER),
                )
            db.commit()
        finally:
            db.rollback()
        return store_key(path, db)


def store_key(path: Path, db: SqliteDatabase) -> bytes:
    """The key of a store that is up to date. Raises `WrongStore`."""
    with explained(path):
        _version(path, db)
        row = db.execute("SELECT store_key FROM flowcage_schema").fetchone()
    if row is None:
        raise WrongStore(f"{path} is empty; a host that may write makes a store of it")
    return bytes(row[0])


def _version(path: Path, db: SqliteDatabase) -> int:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = {
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    if not tables and not application:
        return 0
    if application != APPLICATION_ID or "flowcage_schema" not in tables:
        raise WrongStore(f"{path} is no store of flowcage: it is of another program; give another path")
    try:
        row = db.execute("SELECT version, oldest_reader FROM flowcage_schema").fetchone()
        version = schema.require_version(str(path), row)
        for sql in schema.probes(version):
            db.execute(sql)
    except sqlite3.OperationalError as error:
        if str(error).startswith("no such "):
            raise schema.unknown(str(path), error) from error
        raise
    return version


def check(path: Path, db: SqliteDatabase, *, whole: bool = False) -> None:
    """Look for damage. A large file is looked at where that is asked for. Raises `DamagedStore`."""
    if not whole and path.stat().st_size > _CHECKED_UP_TO:
        return
    with explained(path):
        found = [row[0] for row in db.execute("PRAGMA quick_check(3)").fetchall()]
    if found != ["ok"]:
        raise DamagedStore(f"{path} is damaged: {'; '.join(map(str, found))}; {_ADVICE}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours, with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED or str(error).startswith("no such "):  # a table, or a column of one
            raise DamagedStore(f"{path} is damaged: {error}; {_ADVICE}") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreFailed(f"{path} is locked by another program; end that first") from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise WrongStore(f"{path} cannot be written: {error}; open it with read_only=True") from error
        raise StoreFailed(f"{path}: {error}") from error
    except OSError as error:  # of a file beside it
        if error.errno in _NO_PLACE:
            raise WrongStore(f"{path} is no store: {error.strerror}; give another path") from error
        if error.errno in _NOT_ALLOWED:
            raise WrongStore(f"{path} cannot be written: {error}; open it with read_only=True") from error
        raise StoreFailed(f"{path}: {error}") from error


def reader(path: Path, connect: Connect = connected) -> SqliteDatabase:
    """A connection that cannot write. On a disk that is read-only, the file is taken as it stands.

    Raises:
        WrongStore: neither works.
    """
    error: Exception | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        db: SqliteDatabase | None = None
        try:
            db = SqliteDatabase(connect(uri_of(path, mode)))
            db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            db.execute("PRAGMA query_only = ON")
        except sqlite3.OperationalError as failed:  # a WAL database needs files beside it, to be read, too
            if db is not None:
                db.close()
            error = failed
        except sqlite3.DatabaseError as failed:
            raise DamagedStore(f"{path} is damaged: {failed}; {_ADVICE}") from failed
        else:
            return db
    raise WrongStore(f"{path} cannot be read: {error}") from error


@contextmanager
def exported(path: Path, key: bytes) -> Iterator[SqliteDatabase]:
    """A new file for single runs; there is none where the block fails. Raises `WrongStore`."""
    if path.exists():
        raise WrongStore(f"{path} is there already; give a path for a new file")
    create(path)
    db = SqliteDatabase(connected(uri_of(path, "mode=rw")))
    try:
        prepare(path, db, 0, key)
        db.begin()
        yield db
        db.commit()
    except BaseException:
        db.close()
        path.unlink()
        raise
    db.close()


@contextmanager
def imported(path: Path) -> Iterator[SqliteDatabase]:
    """A file of single runs, as a copy that is brought up to date. Raises `WrongStore`, `DamagedStore`."""
    if not path.is_file():
        what = "is no file; give the one that export has written"
        raise WrongStore(f"{path} {what}" if path.exists() else f"there is no file {path}")
    require_sqlite(path)
    with tempfile.TemporaryDirectory(prefix="flowcage-import-") as folder:
        there = Path(folder) / "runs.db"
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copyfile(f"{path}{suffix}", f"{there}{suffix}")
        db = SqliteDatabase(connected(uri_of(there, "mode=rw")))
        try:
            with explained(path):
                check(path, db, whole=True)
                if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                    raise WrongStore(f"{path} is empty")
            prepare(path, db, 0)
            yield db
        finally:
            db.close()
