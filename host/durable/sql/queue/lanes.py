"""What waits in the queue, by lanes: a lane is the queued runs of one pool that the same workers can replay.

Each look is at an index alone, and skips from tenant to tenant, so that ten thousand runs of one cost no more
than one of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flowcage.host.durable.queue.records import MOST_TAKEOVERS, Wanted
from flowcage.host.durable.sql.database import Database, Row, Rows, asked
from flowcage.host.durable.sql.queue.numbers import are_whole
from flowcage.host.durable.sql.queue.state import FOUND, JOINED, Found
from flowcage.host.durable.sql.schema import escaped

READY = "state = 'queued' AND pool = ? AND made_by = ? AND wake_at IS NULL"
# With MIN() instead of ORDER BY and LIMIT, Postgres reads all of a tenant's runs where it knows no better.
_TENANTS = f"""WITH RECURSIVE found(tenant) AS (
  SELECT * FROM (SELECT tenant FROM runs WHERE {READY} AND tenant > ? ORDER BY tenant LIMIT 1) first
  UNION ALL
  SELECT (SELECT tenant FROM runs WHERE {READY} AND tenant > found.tenant ORDER BY tenant LIMIT 1)
  FROM found WHERE found.tenant IS NOT NULL)
SELECT {FOUND} FROM (SELECT tenant FROM found WHERE tenant IS NOT NULL LIMIT ?) waiting {JOINED}"""
_TENANTS_FROM_THE_FIRST = _TENANTS.replace("tenant > ?", "tenant >= ?")  # one may have the empty name
# Of a run whose last workers died one after another: with the next one it is quarantined.
SUSPECT = f"(takeovers >= {MOST_TAKEOVERS - 1} AND entries <= progress)"
_NEXT = f"""SELECT run_id, epoch, priority, created_at, {SUSPECT} FROM runs WHERE {READY} AND tenant = ?
ORDER BY priority DESC, created_at, run_id LIMIT ?"""
_NEXT_BUT_SUSPECTS = _NEXT.replace("AND tenant = ?", f"AND tenant = ? AND NOT {SUSPECT}")
# Of those that are queued until a time, or asleep. Who answers or cancels one that sleeps queues it.
_DUE = "SELECT run_id, pool FROM runs WHERE pool IS NOT NULL AND wake_at <= ? ORDER BY wake_at LIMIT ?"
_READY_ONE = f"SELECT run_id FROM runs WHERE {READY} ORDER BY tenant LIMIT 1"
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


class Look:
    """At who has something in the lanes of a pool; the statements go out at once.

    Args:
        db, lanes: where to look.
        behind: begin behind this name, and go on from the first one.

    Attributes:
        lanes: that each tenant has something in.
    """

    def __init__(self, db: Database, lanes: Sequence[Lane], behind: str = "") -> None:
        self._db, self._lanes, self._behind = db, lanes, behind
        self.pool = lanes[0].pool
        self.lanes: dict[str, dict[Lane, None]] = {}
        self._rows = self._ask(behind)

    def _ask(self, behind: str) -> list[Rows]:
        sql, more = _TENANTS if behind else _TENANTS_FROM_THE_FIRST, (MOST_TENANTS, self.pool, self.pool)
        return [self._db.execute(sql, (*lane, behind, *lane, *more)) for lane in self._lanes]

    def found(self) -> list[Found]:
        """At most `MOST_TENANTS`, in the order of their names."""
        found = self._merged(self._rows)
        if self._behind and len(found) < MOST_TENANTS:
            found += [each for each in self._merged(self._ask("")) if each.tenant <= self._behind]
        return found[:MOST_TENANTS]

    def _merged(self, of_lanes: Iterable[Rows]) -> list[Found]:
        by_name = {}
        for lane, rows in zip(self._lanes, of_lanes, strict=True):
            for found in map(Found.of, rows.fetchall()):
                by_name[found.tenant] = found
                self.lanes.setdefault(found.tenant, {})[lane] = None
        return [by_name[name] for name in sorted(by_name)][:MOST_TENANTS]


def next_of(
    db: Database, lanes: Iterable[Lane], tenant: str, most: int, *, suspects: bool = True
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


def suspects_of(db: Database, owner: str) -> Rows:
    """A row where a host has a suspect at work."""
    return db.execute(
        f"SELECT 1 FROM runs WHERE state = 'running' AND owner = ? AND {SUSPECT} LIMIT 1", (owner,)
    )


def lock_where_runs_wait(db: Database, lanes: Sequence[Lane], now: int) -> Rows:
    """Lock the queue for who gives turns in lanes, unless there is nothing to give: then there is no row."""
    # Each has LIMIT 1, and no parameter there, of which Postgres would make a plan each time.
    due = _DUE.replace("run_id, pool", "run_id").replace("LIMIT ?", "LIMIT 1")
    looks = ", ".join(f"({sql})" for sql in (*[_READY_ONE] * len(lanes), due))
    params = [word for lane in lanes for word in lane]
    return db.lock_queue(f"COALESCE({looks}) IS NOT NULL", (*params, now))


def is_anything_ready(db: Database, wanted: Wanted) -> bool:
    """Whether anything waits that a worker could take, but for quotas."""
    lanes = [lane for pool in wanted.pools for lane in lanes_of(pool, wanted.marks)]
    return any(asked(db, [(_READY_ONE, lane) for lane in lanes]))


def what_is_due(db: Database, now: int) -> Rows:
    """What is to be put into the queue: runs that no other transaction has, and their pools."""
    return db.execute(_DUE + db.for_update_of_free, (now, _MOST_MOVED))


def put_into_queue(db: Database, due: Sequence[Row]) -> None:
    """Queue what is due."""
    sql = "UPDATE runs SET state = 'queued', wake_at = NULL WHERE run_id = ?"
    db.executemany(sql, [(run_id,) for run_id, _ in due])
