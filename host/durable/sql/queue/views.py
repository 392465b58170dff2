"""Reads of the queue, for people and for waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from flowcage.host.durable.queue.records import Depth, WorkerInfo, WorkerState
from flowcage.host.durable.sql.database import Database, asked
from flowcage.host.durable.sql.schema import readable


def next_due(db: Database) -> int | None:
    """When the next run or schedule is due."""
    looks = (
        "SELECT MIN(wake_at) FROM runs WHERE pool IS NOT NULL AND wake_at IS NOT NULL",
        "SELECT MIN(next_at) FROM schedules",
    )
    found = [at for [(at,)] in asked(db, [(sql, ()) for sql in looks]) if at is not None]
    return min(found, default=None)


def workers(db: Database, is_alive: Callable[[str], bool]) -> list[WorkerState]:
    """Those that have described themselves and live, or have runs."""
    running = dict(
        db.execute(
            "SELECT owner, COUNT(*) FROM runs WHERE state = 'running' AND pool IS NOT NULL GROUP BY owner"
        ).fetchall()
    )
    rows = db.execute("SELECT owner, info, opened_at FROM owners WHERE info IS NOT NULL ORDER BY opened_at")
    found = [
        WorkerState(owner, info, since, is_alive(owner), running.get(owner, 0))
        for owner, text, since in rows.fetchall()
        if (info := info_of(text)) is not None
    ]
    return [each for each in found if each.is_alive or each.running]


def info_of(text: str) -> WorkerInfo | None:
    """What a worker told of itself, without what later versions tell; None where that is damaged."""
    try:
        told = json.loads(text)
        info = WorkerInfo(**{name: told[name] for name in WorkerInfo._fields if name in told})
        info = info._replace(pools=tuple(info.pools), marks=tuple(info.marks))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (info.name, info.mark, info.version, *info.pools, *info.marks)
    is_whole = all(type(each) is str for each in texts) and type(info.slots) is int
    return info if is_whole and type(info.is_draining) is bool else None


@dataclass
class _Counts:
    waiting: int = 0
    later: int = 0
    held: int = 0
    running: int = 0
    asleep: int = 0
    oldest_at: int | None = None


# Each by its own index, so that what has ended costs nothing.
_QUEUED = """SELECT pool, tenant, COUNT(*), MIN(created_at), SUM(CASE WHEN held <> '' THEN 1 ELSE 0 END)
FROM runs WHERE state = 'queued' AND pool IS NOT NULL AND {} GROUP BY pool, tenant"""
_WAITING = _QUEUED.format("wake_at IS NULL")
_DUE = _QUEUED.format("wake_at <= ?")  # a worker that looks has them wait; there may be none
_OTHERS = {
    "later": "pool IS NOT NULL AND wake_at > ? AND state = 'queued'",
    "running": "state = 'running' AND pool IS NOT NULL",
    "asleep": "state = 'asleep' AND pool IS NOT NULL",
}


def depths(db: Database, now: int) -> list[Depth]:
    """What each tenant has in each pool."""
    found: dict[tuple[str, str], _Counts] = {}
    for sql, values in ((_WAITING, ()), (_DUE, (now,))):
        for pool, tenant, count, oldest, held in db.execute(sql, values).fetchall():
            _add(found.setdefault((pool, tenant), _Counts()), count, oldest, int(held))
    for name, where in _OTHERS.items():
        sql = f"SELECT pool, tenant, COUNT(*) FROM runs WHERE {where} GROUP BY pool, tenant"
        for pool, tenant, count in db.execute(sql, (now,) * where.count("?")).fetchall():
            setattr(found.setdefault((pool, tenant), _Counts()), name, count)
    return [
        Depth(readable(pool), readable(tenant), c.waiting, c.later, c.held, c.running, c.asleep, c.oldest_at)
        for (pool, tenant), c in sorted(found.items())
    ]


def _add(counts: _Counts, waiting: int, oldest: int, held: int) -> None:
    counts.waiting += waiting
    counts.held += held
    counts.oldest_at = oldest if counts.oldest_at is None else min(counts.oldest_at, oldest)
