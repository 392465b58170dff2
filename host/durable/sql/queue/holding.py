"""Noting why a run waits that no living worker can replay, so that whoever looks at it need not guess."""

from __future__ import annotations

from collections.abc import Iterable

from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.queue.lanes import READY, Lane
from flowcage.host.durable.sql.queue.views import info_of
from flowcage.host.durable.sql.schema import escaped, readable

_WAITS = "state = 'queued' AND pool IS NOT NULL AND wake_at IS NULL"
_POOLS = f"""WITH RECURSIVE found(pool) AS (
  SELECT * FROM (SELECT pool FROM runs WHERE {_WAITS} ORDER BY pool LIMIT 1) first
  UNION ALL
  SELECT (SELECT pool FROM runs WHERE {_WAITS} AND pool > found.pool ORDER BY pool LIMIT 1)
  FROM found WHERE found.pool IS NOT NULL)
SELECT pool FROM found WHERE pool IS NOT NULL"""
_OF_POOL = "state = 'queued' AND pool = ? AND wake_at IS NULL"
_MARKS = f"""WITH RECURSIVE found(mark) AS (
  SELECT * FROM (SELECT made_by FROM runs WHERE {_OF_POOL} AND made_by > '' ORDER BY made_by LIMIT 1) first
  UNION ALL
  SELECT (SELECT made_by FROM runs WHERE {_OF_POOL} AND made_by > found.mark ORDER BY made_by LIMIT 1)
  FROM found WHERE found.mark IS NOT NULL)
SELECT mark FROM found WHERE mark IS NOT NULL"""
_MOST_AT_ONCE = 1000


def begun_lanes(db: Database) -> list[Lane]:
    """Where runs wait that only some workers can replay."""
    pools = [pool for (pool,) in db.execute(_POOLS).fetchall()]
    return [Lane(pool, mark) for pool in pools for (mark,) in db.execute(_MARKS, (pool, pool)).fetchall()]


def note(scope: Scope, lanes: Iterable[Lane]) -> None:
    """Say of the runs of lanes whether they wait for a worker that is not there."""
    served = _served(scope)
    for lane in lanes:
        why = escaped(_why(lane))
        before, after = (why, "") if lane in served else ("", why)
        rows = scope.db.execute(
            f"SELECT run_id FROM runs WHERE {READY} AND held = ? LIMIT ?{scope.db.for_update_of_free}",
            (*lane, before, _MOST_AT_ONCE),
        ).fetchall()
        scope.db.executemany(
            "UPDATE runs SET held = ? WHERE run_id = ?", [(after, run_id) for (run_id,) in rows]
        )


def _served(scope: Scope) -> set[Lane]:
    """What living workers take from."""
    rows = scope.db.execute("SELECT owner, info FROM owners WHERE info IS NOT NULL").fetchall()
    workers = [info_of(text) for owner, text in rows if owner == scope.owner or scope.is_alive(owner)]
    return {
        Lane(escaped(pool), escaped(mark))
        for info in workers
        if info is not None and not info.is_draining
        for pool in info.pools
        for mark in info.marks
    }


def _why(lane: Lane) -> str:
    mark, pool = readable(lane.made_by), readable(lane.pool)
    of_pool = f" of the pool {pool!r}" if pool else ""
    return f"no worker{of_pool} can replay it: it was begun with {mark}; start a worker of that version"
