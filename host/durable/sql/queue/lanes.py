"""What waits in the queue, by lanes: a lane is the queued runs of one pool that the same workers can replay.

Each look is at an index alone, and skips from tenant to tenant, so that ten thousand runs of one cost no more
than one of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from flowcage.host.durable.queue.records import Wanted
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.schema import escaped

_READY = "state = 'queued' AND pool = ? AND made_by = ? AND wake_at IS NULL"
_TENANTS = f"""WITH RECURSIVE found(tenant) AS (
  SELECT MIN(tenant) FROM runs WHERE {_READY}
  UNION ALL
  SELECT (SELECT MIN(tenant) FROM runs WHERE {_READY} AND tenant > found.tenant)
  FROM found WHERE found.tenant IS NOT NULL)
SELECT tenant FROM found WHERE tenant IS NOT NULL"""
_NEXT = f"""SELECT run_id, epoch, priority, created_at FROM runs WHERE {_READY} AND tenant = ?
ORDER BY priority DESC, created_at, run_id LIMIT ?"""
# What is to wake up: due, cancelled, answered. `runs_later` has those that are queued until a time, too.
_DUE = "SELECT run_id FROM runs WHERE pool IS NOT NULL AND wake_at <= ?"
_CANCELLED = "SELECT run_id FROM runs WHERE state = 'asleep' AND cancel_at IS NOT NULL AND pool IS NOT NULL"
_ANSWERED = """SELECT a.run_id FROM answers a JOIN runs r ON r.run_id = a.run_id
WHERE a.data IS NOT NULL AND r.state = 'asleep' AND r.pool IS NOT NULL"""
_MOST_MOVED = 1000  # by one write


class Lane(NamedTuple):
    """As it is stored."""

    pool: str
    made_by: str


class Waiting(NamedTuple):
    """A run that may be begun. It sorts as the runs of a tenant have their turns."""

    minus_priority: int
    created_at: int
    run_id: str
    epoch: int


def lanes_of(pool: str, marks: Iterable[str]) -> list[Lane]:
    """Those of a pool that a worker takes from: what it can replay, and what nobody has begun."""
    return [Lane(escaped(pool), escaped(mark)) for mark in dict.fromkeys(("", *marks))]


def tenants_of(db: Database, lanes: Iterable[Lane]) -> set[str]:
    """Which have something in lanes, as they are stored."""
    return {tenant for lane in lanes for (tenant,) in db.execute(_TENANTS, (*lane, *lane)).fetchall()}


def next_of(db: Database, lanes: Iterable[Lane], tenant: str, most: int) -> list[Waiting]:
    """The next runs of a tenant, the last first. No other transaction has them."""
    found = [
        Waiting(-priority, created_at, run_id, epoch)
        for lane in lanes
        for run_id, epoch, priority, created_at in db.execute(
            _NEXT + db.for_update_of_free, (*lane, tenant, most)
        ).fetchall()
    ]
    return sorted(found)[:most][::-1]


def has_work(db: Database, wanted: Wanted, now: int) -> bool:
    """Whether anything is there, or is to wake up."""
    ready = f"SELECT run_id FROM runs WHERE {_READY}"
    looks: list[tuple[str, tuple[Any, ...]]] = [
        *((ready, lane) for pool in wanted.pools for lane in lanes_of(pool, wanted.marks)),
        *((_DUE, (now,)), (_CANCELLED, ()), (_ANSWERED, ())),
    ]
    return any(db.execute(f"{sql} LIMIT 1", params).fetchone() is not None for sql, params in looks)


def queue_what_sleeps_no_more(db: Database, now: int) -> list[str]:
    """Put into the queue what is due, answered or cancelled. The pools, as they are stored."""
    found: dict[str, None] = {}
    for sql, params in ((_DUE, (now,)), (_CANCELLED, ()), (_ANSWERED, ())):
        rows = db.execute(f"{sql} LIMIT {_MOST_MOVED}", params).fetchall()
        found.update((run_id, None) for (run_id,) in rows)
    if not found:
        return []
    marks = ", ".join("?" * len(found))
    rows = db.execute(
        f"""SELECT run_id, pool FROM runs WHERE run_id IN ({marks}) AND state IN ('queued', 'asleep')
        {db.for_update_of_free}""",
        tuple(found),
    ).fetchall()
    db.executemany(
        "UPDATE runs SET state = 'queued', wake_at = NULL WHERE run_id = ?", [(run_id,) for run_id, _ in rows]
    )
    return sorted({pool for _, pool in rows})
