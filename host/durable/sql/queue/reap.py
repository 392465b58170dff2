"""The write that looks after runs of dead owners, and after what no worker can take."""

from __future__ import annotations

from flowcage.host.durable.queue.records import MOST_TAKEOVERS
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sql.database import Database, Row, Scope
from flowcage.host.durable.sql.life import leave
from flowcage.host.durable.sql.payloads import place
from flowcage.host.durable.sql.queue import state
from flowcage.host.durable.sql.queue.holding import begun_lanes, note
from flowcage.host.durable.sql.queue.numbers import are_whole
from flowcage.host.durable.sql.rows import encoded_ending
from flowcage.host.durable.sql.write import Write
from flowcage.host.outcome.verdict import Verdict

_MOST_AT_ONCE = 1000
_OWNERS = """WITH RECURSIVE found(owner) AS (
  SELECT * FROM (SELECT owner FROM runs WHERE state = 'running' AND owner > '' ORDER BY owner LIMIT 1) first
  UNION ALL
  SELECT (SELECT owner FROM runs WHERE state = 'running' AND owner > found.owner ORDER BY owner LIMIT 1)
  FROM found WHERE found.owner IS NOT NULL)
SELECT owner FROM found WHERE owner IS NOT NULL"""
_ORPHANS = """SELECT run_id, epoch, pool, entries, progress, takeovers FROM runs
WHERE state = 'running' AND owner = ? AND pool IS NOT NULL LIMIT ?"""


class Reap(Write[list[str]]):
    """Runs of dead owners are for others again."""

    comes_last = True
    __slots__ = ()

    def run(self, scope: Scope) -> list[str]:
        dead = [owner for owner in owners_at_work(scope.db) if is_dead(scope, owner)]
        lanes = begun_lanes(scope.db)
        self.wrote = bool(dead or lanes or state.is_stale(scope.db, scope.now))
        if not self.wrote:
            return []
        scope.db.lock_queue()
        reaped = [_take_over(scope, owner, row) for owner in dead for row in _orphans(scope, owner)]
        note(scope, lanes)
        state.forget(scope.db, scope.now)
        return reaped


def owners_at_work(db: Database) -> list[str]:
    """Who has a run."""
    return [owner for (owner,) in db.execute(_OWNERS).fetchall()]


def is_dead(scope: Scope, owner: str) -> bool:
    """Whether runs of an owner have nobody; those of this host, where it has lost some."""
    return bool(scope.lost) if owner == scope.owner else not scope.is_alive(owner)


def _orphans(scope: Scope, owner: str) -> list[Row]:
    rows = scope.db.execute(_ORPHANS + scope.db.for_update_of_free, (owner, _MOST_AT_ONCE)).fetchall()
    mine = [row for row in rows if owner != scope.owner or (row[0], row[1]) in scope.lost]
    return [row for row in mine if are_whole(row[1], *row[3:])]


def _take_over(scope: Scope, owner: str, row: Row) -> str:
    run_id, _epoch, pool, entries, progress, takeovers = row
    run_id = str(run_id)
    if owner != scope.owner:  # this host lives, and has lost the run to a store that took nothing
        takeovers = takeovers + 1 if entries <= progress else 1
        scope.db.execute(
            "UPDATE runs SET takeovers = ?, progress = ? WHERE run_id = ?", (takeovers, entries, run_id)
        )
    if owner == scope.owner or takeovers < MOST_TAKEOVERS:
        leave(scope, run_id, "queued")
        scope.tell_pool(pool)
        return run_id
    packed = scope.payloads.pack(encoded_ending(_quarantine(takeovers, entries)), place("ending", run_id))
    leave(scope, run_id, "ended", Verdict.QUARANTINED, packed)
    return run_id


def _quarantine(takeovers: int, entries: int) -> Ending:
    message = (
        f"{takeovers} workers died while they had the run, one after another, and it got no further then "
        f"(it has {entries} entries): it may be what ends them. Look at their logs, then resume it"
    )
    return Ending(Verdict.QUARANTINED.value, error={"kind": Verdict.QUARANTINED.value, "message": message})
