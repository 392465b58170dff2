"""A disk that is written to by SQLite and may lose its power at any moment: what could be on it then.

Another build of SQLite (apsw) is given a VFS that logs each write, sync, truncation and deletion. For each
point of the log there are many states of the disk: what was synced is there; what was written since may be
there, be missing, or be torn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import apsw

Mode: TypeAlias = Literal["none", "all", "some", "torn"]
MODES: tuple[Mode, ...] = ("none", "all", "some", "some", "torn", "torn")


class Event(NamedTuple):
    """What happened to a file, or, for ``ack``, what a host was told to be durable."""

    kind: Literal["write", "sync", "truncate", "delete", "ack"]
    name: str = ""
    offset: int = 0
    data: bytes = b""
    durable: dict[str, int] = {}  # noqa: RUF012


LOG: list[Event] = []


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: Any) -> None:
        self._name = os.path.basename(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        LOG.append(Event("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        LOG.append(Event("sync", self._name))

    def xTruncate(self, size: int) -> None:
        LOG.append(Event("truncate", self._name, size))
        super().xTruncate(size)


class _Vfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("logging", "")

    def xOpen(self, name: Any, flags: Any) -> Any:
        return _File(name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        LOG.append(Event("delete", os.path.basename(name)))
        super().xDelete(name, sync)


VFS = _Vfs()


class _Rows:
    """A cursor with the number of rows that a statement changed."""

    def __init__(self, cursor: Any, rowcount: int) -> None:
        self._cursor = cursor
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return list(self._cursor.fetchall())


class LoggedConnection:
    """A connection whose files are on that disk."""

    def __init__(self, uri: str) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        self._db = apsw.Connection(uri, flags=flags, vfs="logging")
        self._db.set_busy_timeout(5_000)

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> _Rows:
        cursor = self._db.execute(sql, tuple(parameters))
        return _Rows(cursor, self._db.changes())

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> None:
        self._db.executemany(sql, parameters)

    def close(self) -> None:
        self._db.close()


Files: TypeAlias = dict[str, bytes]


def disk_after(log: Sequence[Event], mode: Mode, rng: random.Random) -> tuple[Files, dict[str, int]]:
    """The files that a loss of power may leave, and what was durable by then."""
    files: dict[str, bytearray] = {}
    pending: dict[str, list[Event]] = {}
    durable: dict[str, int] = {}
    for event in log:
        if event.kind == "ack":
            durable = event.durable
        elif event.kind == "sync":
            for written in pending.pop(event.name, []):
                _apply(files.setdefault(event.name, bytearray()), written)
        elif event.kind == "delete":
            files.pop(event.name, None)
            pending.pop(event.name, None)
        else:
            pending.setdefault(event.name, []).append(event)
    for name, events in pending.items():
        image = files.setdefault(name, bytearray())
        for event in _kept(events, mode, rng):
            _apply(image, event)
    return {name: bytes(image) for name, image in files.items()}, durable


def _kept(events: list[Event], mode: Mode, rng: random.Random) -> Iterator[Event]:
    """Those of the writes without a sync that have reached the disk."""
    for index, event in enumerate(events):
        if mode == "none" or (mode == "some" and rng.random() < 0.5):
            continue
        if mode == "torn" and index == len(events) - 1:
            yield event._replace(data=event.data[: rng.randrange(len(event.data) + 1)])
        else:
            yield event


def _apply(image: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del image[event.offset :]
        return
    if len(image) < event.offset:
        image.extend(bytes(event.offset - len(image)))
    image[event.offset : event.offset + len(event.data)] = event.data
