"""Reads of what there is to do: runs that somebody should claim, and what runs of a host were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowcage.host.durable.records import Cancel, Claimable, FromOutside, Why
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.schema import unescaped


def owners_gone(db: Database, is_alive: Callable[[str], bool]) -> list[str]:
    """Hosts that have a run and are gone."""
    rows = db.execute("SELECT DISTINCT owner FROM runs WHERE state = 'running' AND owner IS NOT NULL")
    return [owner for (owner,) in rows.fetchall() if not is_alive(owner)]


# Each has an index of its own, so that ten thousand that sleep cost nothing.
_CLAIMABLE: Mapping[Why, str] = {
    "queued": """SELECT run_id FROM runs WHERE state = 'queued' AND pool IS NULL
        ORDER BY created_at LIMIT ?""",
    "cancelled": """SELECT run_id FROM runs WHERE state = 'asleep' AND pool IS NULL
        AND cancel_at IS NOT NULL LIMIT ?""",
    "due": """SELECT run_id FROM runs WHERE state = 'asleep' AND pool IS NULL AND wake_at <= ?
        ORDER BY wake_at LIMIT ?""",
    "answered": """SELECT DISTINCT a.run_id FROM answers a JOIN runs r ON r.run_id = a.run_id
        WHERE a.data IS NOT NULL AND r.state = 'asleep' AND r.pool IS NULL LIMIT ?""",
}


def claimable(db: Database, now: int, is_alive: Callable[[str], bool], limit: int) -> list[Claimable]:
    """Runs of no pool that no living host has and that something is to be done about."""
    found: dict[str, Claimable] = {}
    for why, sql in _CLAIMABLE.items():
        rows = db.execute(sql, (now, limit) if why == "due" else (limit,)).fetchall()
        for (run_id,) in rows:
            found.setdefault(run_id, Claimable(run_id, why))
    for owner in owners_gone(db, is_alive):
        sql = """SELECT run_id FROM runs WHERE state = 'running' AND owner = ? AND pool IS NULL
            ORDER BY created_at LIMIT ?"""
        for (run_id,) in db.execute(sql, (owner, limit)).fetchall():
            found[run_id] = Claimable(run_id, "abandoned")
    return list(found.values())[:limit]


# Both parts begin with an index of what is asked of runs, and not of runs.
_OUTSIDE = """SELECT a.run_id, a.request, NULL, NULL FROM answers a CROSS JOIN runs r
WHERE a.data IS NOT NULL AND r.run_id = a.run_id AND r.state = 'running' AND r.owner = ?
UNION ALL SELECT run_id, NULL, cancel_at, cancel_reason FROM runs
WHERE cancel_at IS NOT NULL AND state = 'running' AND owner = ?"""


def outside(db: Database, owner: str) -> list[FromOutside]:
    """What was given from outside to the running runs of a host."""
    found: dict[str, FromOutside] = {}
    for run_id, request, cancel_at, reason in db.execute(_OUTSIDE, (owner, owner)).fetchall():
        known = found.get(run_id, FromOutside(run_id, frozenset(), None))
        if request is None:
            found[run_id] = known._replace(cancel=Cancel(cancel_at, unescaped(reason)))
        else:
            found[run_id] = known._replace(requests=known.requests | {unescaped(request)})
    return list(found.values())


def next_due(db: Database) -> int | None:
    """When the next run of no pool wakes that sleeps until a time."""
    row = db.execute(
        "SELECT MIN(wake_at) FROM runs WHERE state = 'asleep' AND pool IS NULL AND wake_at IS NOT NULL"
    ).fetchone()
    return None if row[0] is None else int(row[0])
