"""Schedules: a table of what is begun again and again, and the write of one firing."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from flowcage.host.durable.errors import StoreError, StoreFailed, Unstorable
from flowcage.host.durable.queue.records import Schedule
from flowcage.host.durable.records import Created, NewRun
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.payloads import Packed, Payloads, place
from flowcage.host.durable.sql.reading import unpacker
from flowcage.host.durable.sql.refusals import why_not
from flowcage.host.durable.sql.schema import escaped, unescaped
from flowcage.host.durable.sql.upkeep.removal import drop_blobs
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sql.writes import Create
from flowcage.protocol.messages import Json

_COLUMNS = "name, cron, tenant, next_at, what, last_at, last_run"
# In the place of a run's id: ids have no such character.
_USED_BY = "schedule:"


class PutSchedule(Write[bool]):
    """A schedule, in the place of one with this name."""

    __slots__ = ("_packed", "_schedule")

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule
        self._packed: Packed | None = None

    def prepare(self, scope: Scope) -> None:
        what = json.dumps(self._schedule.what, separators=(",", ":")).encode("ascii")
        self._packed = self._packed or scope.payloads.pack(what, _place(escaped(self._schedule.name)))

    def run(self, scope: Scope) -> bool:
        assert self._packed is not None
        each, name = self._schedule, escaped(self._schedule.name)
        is_new = not _remove(scope, name)
        scope.db.execute(
            f"INSERT INTO schedules({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?)",
            (
                *(name, escaped(each.cron), escaped(each.tenant), each.next_at, self._packed.data),
                *(each.last_at, each.last_run),
            ),
        )
        scope.keep_blobs(_USED_BY + name, self._packed.blobs)
        scope.told.add("")
        return is_new


class RemoveSchedule(Write[bool]):
    """A schedule is fired no more."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def run(self, scope: Scope) -> bool:
        return _remove(scope, escaped(self._name))


class Fire(Write[Created | None]):
    """One firing: its run, and the schedule's next time."""

    __slots__ = ("_at", "_create", "_name", "_next_at", "_run")

    def __init__(self, name: str, at: int, next_at: int, run: NewRun) -> None:
        super().__init__()
        self._name, self._at, self._next_at = name, at, next_at
        self._run = run
        self._create = Create(run, queued=True)
        self.size = self._create.size

    def prepare(self, scope: Scope) -> None:
        if (why := why_not(self._run)) is not None:
            raise Unstorable(why)
        self._create.prepare(scope)

    def run(self, scope: Scope) -> Created | None:
        name = escaped(self._name)
        moved = scope.db.execute(
            "UPDATE schedules SET next_at = ? WHERE name = ? AND next_at = ?", (self._next_at, name, self._at)
        )
        if moved.rowcount != 1:
            return None
        created = self._create.run(scope)
        scope.db.execute(
            "UPDATE schedules SET last_at = ?, last_run = ? WHERE name = ?", (self._at, created.run_id, name)
        )
        return created


def _remove(scope: Scope, name: str) -> bool:
    drop_blobs(scope, _USED_BY + name)
    scope.db.execute("DELETE FROM blob_uses WHERE run_id = ?", (_USED_BY + name,))
    return bool(scope.db.execute("DELETE FROM schedules WHERE name = ?", (name,)).rowcount)


def schedules(db: Database, payloads: Payloads, due_at: int | None) -> list[Schedule]:
    """All, or those that are due."""
    sql, params = f"SELECT {_COLUMNS} FROM schedules", ()
    rows = db.execute(
        f"{sql} ORDER BY name" if due_at is None else f"{sql} WHERE next_at <= ? ORDER BY next_at, name",
        params if due_at is None else (due_at,),
    ).fetchall()
    unpack = unpacker(db, payloads)
    return [
        Schedule(
            *(unescaped(name), unescaped(cron), unescaped(tenant), next_at),
            *_read(partial(unpack, data, _place(name))),
            *last,
        )
        for name, cron, tenant, next_at, data, *last in rows
    ]


def _read(unpack: Callable[[], bytes]) -> tuple[Json, str]:
    """What is begun, or why that is not known; one that is damaged or sealed hides no other."""
    try:
        return json.loads(unpack()), ""
    except (StoreError, StoreFailed, ValueError) as error:
        return None, str(error)


def _place(name: str) -> bytes:
    return place("schedule", name)
