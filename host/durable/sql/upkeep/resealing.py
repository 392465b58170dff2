"""Sealing anew what was sealed with an older key, or not at all, in small transactions beside running hosts.

A value is read, sealed anew, and put in the place of the old one if that is still there. An object is not
changed: it gets a successor, and is removed when its row names that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from flowcage.host.durable.errors import DamagedStore, WrongKeys
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.payloads import Blob, Payloads, object_of, place
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.upkeep import Resealed

_ROWS_OF_A_LOOK, _ROWS_OF_A_WRITE = 500, 50


class Column(NamedTuple):
    """Of a table, with payloads. `name` is that of their places."""

    table: str
    key: tuple[str, ...]
    column: str
    name: str

    def place(self, key: tuple[Any, ...]) -> bytes:
        """Of a payload."""
        return place(self.name, *(each if isinstance(each, str | int) else bytes(each).hex() for each in key))


COLUMNS = (
    Column("blobs", ("hash",), "data", "blob"),
    Column("runs", ("run_id",), "settings", "settings"),
    Column("runs", ("run_id",), "ending", "ending"),
    Column("workflows", ("run_id", "path"), "args", "args"),
    Column("workflows", ("run_id", "path"), "terms", "terms"),
    Column("entries", ("run_id", "seq"), "data", "entry"),
    Column("answers", ("run_id", "request"), "data", "answer"),
    Column("schedules", ("name",), "what", "schedule"),
)


class _Stale(NamedTuple):
    """A value to be sealed anew: the key of its row, what is there, and the payload of it."""

    key: tuple[Any, ...]
    data: bytes
    within: bytes


class Look(NamedTuple):
    """What a look at a column has found, and where to go on; None at its end."""

    stale: list[_Stale]
    after: tuple[Any, ...] | None
    damaged: list[str]


def look(db: Database, payloads: Payloads, column: Column, after: tuple[Any, ...]) -> Look:
    """The next values that have another key than new ones, behind a row; () is before all."""
    if payloads.sealer is None:
        raise WrongKeys("without keys nothing is sealed; give --keys FILE, or FLOWCAGE_STORE_KEYS")
    names, marks = ", ".join(column.key), ", ".join("?" * len(column.key))
    behind = "" if not after else f"AND ({names}) > ({marks})"
    rows = db.execute(
        f"""SELECT {names}, {column.column} FROM {column.table}
        WHERE {column.column} IS NOT NULL {behind} ORDER BY {names} LIMIT {_ROWS_OF_A_LOOK}""",
        after,
    ).fetchall()
    stale, damaged, key = [], [], None
    for *parts, data in rows:
        key = tuple(parts)
        try:
            found = _found(db, payloads, column, key, bytes(data))
            if found is not None and not payloads.is_current(found.within):
                stale.append(found)
        except DamagedStore as error:
            damaged.append(_told(column, key, error))
        if len(stale) == _ROWS_OF_A_WRITE:
            return Look(stale, key, damaged)
    return Look(stale, key if len(rows) == _ROWS_OF_A_LOOK else None, damaged)


def _found(
    db: Database, payloads: Payloads, column: Column, key: tuple[Any, ...], data: bytes
) -> _Stale | None:
    """A value; None for one that was removed meanwhile. Raises `DamagedStore`."""
    if column.name != "blob":
        return _Stale(key, data, data)
    try:
        return _Stale(key, data, payloads.within(bytes(key[0]), data))
    except DamagedStore:  # or its object has a successor by now, of somebody else who seals anew
        row = db.execute("SELECT data FROM blobs WHERE hash = ?", key).fetchone()
        if row is None:
            return None
        if bytes(row[0]) == data:
            raise
        return _found(db, payloads, column, key, bytes(row[0]))


def _told(column: Column, key: tuple[Any, ...], error: DamagedStore) -> str:
    return f"{column.place(key).decode().replace(chr(0), ' ')}: {error}"


class Reseal(Write[Resealed]):
    """The values of a look."""

    __slots__ = ("_column", "_damaged", "_new", "_stale")

    def __init__(self, column: Column, stale: list[_Stale]) -> None:
        super().__init__()
        self._column, self._stale = column, stale
        self._new: list[tuple[_Stale, Blob]] | None = None
        self._damaged: list[str] = []
        self.size = sum(len(each.within) for each in stale)

    def prepare(self, scope: Scope) -> None:
        if self._new is not None:
            return
        self._new = []
        blob_of: Callable[[bytes, bytes], Blob] = Blob
        if self._column.name == "blob":
            blob_of = scope.payloads.blob_of
        for each in self._stale:
            try:
                new = scope.payloads.resealed(each.within, self._column.place(each.key))
            except DamagedStore as error:
                self._damaged.append(_told(self._column, each.key, error))
            else:
                name = bytes(each.key[0]) if self._column.name == "blob" else b""
                self._new.append((each, blob_of(name, new)))

    def run(self, scope: Scope) -> Resealed:
        assert self._new is not None
        is_row = " AND ".join(f"{name} = ?" for name in (*self._column.key, self._column.column))
        sql = f"UPDATE {self._column.table} SET {self._column.column} = ? WHERE {is_row}"
        changed = 0
        for old, new in self._new:
            is_done = scope.db.execute(sql, (new.data, *old.key, old.data)).rowcount == 1
            changed += is_done
            if self._column.name == "blob":
                gone = old.data if is_done else new.data
                scope.dropped += filter(None, [object_of(new.hash, gone)])
        return Resealed(changed, self._damaged)
