"""What waits in the queue, by lanes: a lane is the queued runs of one pool that the same workers can replay.

Each look is at an index alone, and skips from tenant to tenant, so that ten thousand runs of one cost no more
than one of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flowcage.host.durable.queue.records import MOST_TAKEOVERS, Wanted
from flowcage.host.durable.sql.database import Database, asked
from flowcage.host.durable.sql.queue.numbers import are_whole
from flowcage.host.durable.sql.schema import escaped

READY = "state = 'queued' AND pool = ? AND made_by = ? AND wake_at IS NULL"
# With MIN() instead of ORDER BY and LIMIT, Postgres reads all of a tenant's runs where it knows no better.
_TENANTS = f"""WITH RECURSIVE found(tenant) AS (
  SELECT * FROM (SELECT tenant FROM runs WHERE {READY} AND tenant > ? ORDER BY tenant LIMIT 1) first
  UNION ALL
  SELECT (SELECT tenant FROM runs WHERE {READY} AND tenant > found.tenant ORDER BY tenant LIMIT 1)
  FROM found WHERE found.tenant IS NOT NULL)
SELECT tenant FROM found WHERE tenant IS NOT NULL LIMIT ?"""
_TENANTS_FROM_THE_FIRST = _TENANTS.replace("tenant > ?", "tenant >= ?")  # one may have the empty name
# Of a run whose last workers died one after another: with the next one it is quarantined.
SUSPECT = f"(takeovers >= {MOST_TAKEOVERS - 1} AND entries <= progress)"
_NEXT = f"""SELECT run_id, epoch, priority, created_at, {SUSPECT} FROM runs WHERE {READY} AND tenant = ?
ORDER BY priority DESC, created_at, run_id LIMIT ?"""
_NEXT_BUT_SUSPECTS = _NEXT.replace("AND tenant = ?", f"AND tenant = ? AND NOT {SUSPECT}")
# Of those that are queued until a time, or asleep. Who answers or cancels one that sleeps queues it.
_DUE = "SELECT run_id, pool FROM runs WHERE pool IS NOT NULL AND wake_at <= ? ORDER BY wake_at LIMIT ?"
_MOST_MOVED = 1000  # by one write
# Tenants that one look compares. Where more have something queued, the next look begins behind the last one.
MOST_TENANTS = 128


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
    is_suspect: bool


def lanes_of(pool: str, marks: Iterable[str]) -> list[Lane]:
    """Those of a pool that a worker takes from: what it can replay, and what nobody has begun."""
    return [Lane(escaped(pool), escaped(mark)) for mark in dict.fromkeys(("", *marks))]


def tenants_of(db: Database, lanes: Sequence[Lane], behind: str = "") -> list[str]:
    """Which have something in lanes, as they are stored: at most `MOST_TENANTS`, in the order of their names.

    Args:
        db, lanes: where to look.
        behind: begin behind this name, and go on from the first one.
    """
    found = _tenants(db, lanes, behind)
    if behind and len(found) < MOST_TENANTS:
        found += [name for name in _tenants(db, lanes, "") if name <= behind]
    return found[:MOST_TENANTS]


def _tenants(db: Database, lanes: Sequence[Lane], behind: str) -> list[str]:
    sql = _TENANTS if behind else _TENANTS_FROM_THE_FIRST
    found = asked(db, [(sql, (*lane, behind, *lane, MOST_TENANTS)) for lane in lanes])
    return sorted({tenant for rows in found for (tenant,) in rows})[:MOST_TENANTS]


def next_of(
    db: Database, lanes: Sequence[Lane], tenant: str, most: int, *, suspects: bool = True
) -> list[Waiting]:
    """The next runs of a tenant, the last first, with `SUSPECT` ones or without.

    No other transaction has them.
    """
    sql = (_NEXT if suspects else _NEXT_BUT_SUSPECTS) + db.for_update_of_free
    found = [
        Waiting(-priority, created_at, run_id, epoch, bool(is_suspect))
        for rows in asked(db, [(sql, (*lane, tenant, most)) for lane in lanes])
        for run_id, epoch, priority, created_at, is_suspect in rows
        if are_whole(epoch, priority, created_at)
    ]
    return sorted(found)[:most][::-1]


def has_suspect(db: Database, owner: str) -> bool:
    """Whether a host has a suspect at work."""
    sql = f"SELECT 1 FROM runs WHERE state = 'running' AND owner = ? AND {SUSPECT} LIMIT 1"
    return db.execute(sql, (owner,)).fetchone() is not None


def has_work(db: Database, wanted: Wanted, now: int) -> bool:
    """Whether anything is there, or is due."""
    ready = f"SELECT run_id FROM runs WHERE {READY} ORDER BY tenant LIMIT 1"
    lanes = [lane for pool in wanted.pools for lane in lanes_of(pool, wanted.marks)]
    return any(asked(db, [(_DUE, (now, 1)), *((ready, lane) for lane in lanes)]))


def queue_what_is_due(db: Database, now: int) -> list[str]:
    """Put into the queue what is due. The pools, as they are stored."""
    rows = db.execute(_DUE + db.for_update_of_free, (now, _MOST_MOVED)).fetchall()
    if not rows:
        return []
    db.executemany(
        "UPDATE runs SET state = 'queued', wake_at = NULL WHERE run_id = ?", [(run_id,) for run_id, _ in rows]
    )
    return sorted({pool for _, pool in rows})
