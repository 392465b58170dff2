"""Writes that remove runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flowcage.host.durable.errors import DamagedStore, RunIsOpen, RunIsReused, UnknownRun
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.payloads import OBJECT_ROW_BYTES, object_of
from flowcage.host.durable.sql.schema import TABLES, escaped
from flowcage.host.durable.sql.write import Write

_AT_ONCE = 100  # runs that one write removes; others wait for it


class Delete(Write[None]):
    """One run, if it is over and nobody reuses it."""

    __slots__ = ("_run_id",)

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def run(self, scope: Scope) -> None:
        sql = f"SELECT state FROM runs WHERE run_id = ?{scope.db.for_update}"
        row = scope.db.execute(sql, (self._run_id,)).fetchone()
        if row is None:
            raise UnknownRun(self._run_id)
        if row[0] not in ("ended", "diverged"):
            raise RunIsOpen(self._run_id, row[0])
        forks = scope.db.execute(
            "SELECT run_id FROM runs WHERE forked_from = ? ORDER BY run_id LIMIT 10", (self._run_id,)
        ).fetchall()
        if forks:
            raise RunIsReused(self._run_id, [fork for (fork,) in forks])
        _remove(scope, self._run_id)


class Prune(Write[list[str]]):
    """Runs that ended before a time or may be removed by now, some of them. Those that it has removed."""

    __slots__ = ("_before", "_tenant")

    def __init__(self, before: int, tenant: str | None) -> None:
        super().__init__()
        self._before, self._tenant = before, tenant

    def run(self, scope: Scope) -> list[str]:
        old, params = _old(self._before, scope.now, self._tenant)
        found = scope.db.execute(
            f"""SELECT run_id FROM runs r WHERE {old}
            AND NOT EXISTS(SELECT 1 FROM runs f WHERE f.forked_from = r.run_id)
            ORDER BY updated_at LIMIT {_AT_ONCE}{scope.db.for_update}""",
            params,
        ).fetchall()
        for (run_id,) in found:
            _remove(scope, run_id)
        return [run_id for (run_id,) in found]


def prunable(db: Database, before: int, now: int, tenant: str | None) -> list[str]:
    """What would be pruned, the oldest first, and forks before what they reuse."""
    old, params = _old(before, now, tenant)
    rows = db.execute(f"SELECT run_id FROM runs WHERE {old} ORDER BY updated_at", params).fetchall()
    forks: dict[str, set[str]] = {}
    for run_id, origin in db.execute(
        "SELECT run_id, forked_from FROM runs WHERE forked_from IS NOT NULL"
    ).fetchall():
        forks.setdefault(origin, set()).add(run_id)
    left, gone = [run_id for (run_id,) in rows], dict[str, None]()
    while free := [run_id for run_id in left if forks.get(run_id, set()) <= gone.keys()]:
        gone.update(dict.fromkeys(free))
        left = [run_id for run_id in left if run_id not in gone]
    return list(gone)


def _old(before: int, now: int, tenant: str | None) -> tuple[str, tuple[Any, ...]]:
    of_tenant, params = ("", ()) if tenant is None else ("AND tenant = ?", (escaped(tenant),))
    return f"state = 'ended' AND (updated_at < ? OR delete_after <= ?) {of_tenant}", (before, now, *params)


def drop_blobs(scope: Scope, run_id: str) -> None:
    """Remove what nobody else uses of the blobs of a run."""
    scope.db.hold_blobs()
    last = """FROM blobs WHERE hash IN (SELECT hash FROM blob_uses WHERE run_id = ?)
        AND NOT EXISTS(SELECT 1 FROM blob_uses u WHERE u.hash = blobs.hash AND u.run_id <> ?)"""
    rows = scope.db.execute(
        f"SELECT hash, data {last} AND LENGTH(data) = ?", (run_id, run_id, OBJECT_ROW_BYTES)
    ).fetchall()
    for row in rows:
        with suppress(DamagedStore):  # it is removed all the same
            scope.dropped += filter(None, [object_of(*row)])
    scope.db.execute(f"DELETE {last}", (run_id, run_id))


def _remove(scope: Scope, run_id: str) -> None:
    drop_blobs(scope, run_id)
    for table in TABLES:
        scope.db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
    scope.bytes_of.clear()
