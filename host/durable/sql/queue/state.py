"""What is kept of tenants and pools between two looks. Written under the lock of the queue alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.durable.queue.turns import Tenant, Turns, Used
from flowcage.host.durable.sql.database import Database, asked
from flowcage.host.durable.sql.queue.numbers import USED, is_amount, used_of
from flowcage.host.durable.sql.schema import readable

_AT_ONCE = 500  # parameters of a statement
_FORGOTTEN_AFTER_MS = 60_000  # by then its runs have flowed off


def tenants(
    db: Database, names: Collection[str], now: int, limits: Callable[[str], TurnLimits]
) -> dict[str, Tenant]:
    """Tenants with what they have used, and have at work, by their names as they are stored."""
    used = {name: Used(now) for name in names}
    running = dict.fromkeys(names, 0)
    for marks, some in _parts(sorted(names)):
        at_work = f"""SELECT tenant, COUNT(*) FROM runs WHERE state = 'running' AND pool IS NOT NULL
            AND tenant IN ({marks}) GROUP BY tenant"""
        known = f"SELECT tenant, {USED} FROM tenants WHERE tenant IN ({marks})"
        rows, counts = asked(db, [(known, some), (at_work, some)])
        used.update((row[0], used_of(row[1:], now)) for row in rows)
        running.update(dict(counts))
    for each in used.values():
        each.advance(now)
    return {name: Tenant(name, limits(readable(name)), used[name], running[name]) for name in names}


def turns_of(db: Database, pool: str, waiting: Collection[Tenant]) -> Turns:
    """The turns of a pool."""
    sql = "SELECT tenant, tag FROM turns WHERE pool = ? AND tenant IN ({})"
    parts = _parts([each.name for each in waiting])
    times, *tags = asked(
        db,
        [
            ("SELECT virtual_time FROM pools WHERE pool = ?", (pool,)),
            *((sql.format(marks), (pool, *some)) for marks, some in parts),
        ],
    )
    time = times[0][0] if times else 0.0
    known = {name: tag for rows in tags for name, tag in rows if is_amount(tag)}
    return Turns(time if is_amount(time) else _last_turn(db, pool), known, waiting)


def _last_turn(db: Database, pool: str) -> float:
    """Virtual time of a pool that has none which could be: behind no turn that was given."""
    tags = db.execute("SELECT tag FROM turns WHERE pool = ?", (pool,)).fetchall()
    return max((tag for (tag,) in tags if is_amount(tag)), default=0.0)


def keep_turns(db: Database, pool: str, turns: Turns) -> None:
    """Store what was given."""
    if not turns.given:
        return
    db.execute(
        """INSERT INTO pools(pool, virtual_time) VALUES(?, ?)
        ON CONFLICT(pool) DO UPDATE SET virtual_time = excluded.virtual_time""",
        (pool, turns.virtual_time),
    )
    db.executemany(
        """INSERT INTO turns(pool, tenant, tag) VALUES(?, ?, ?)
        ON CONFLICT(pool, tenant) DO UPDATE SET tag = excluded.tag""",
        [(pool, name, tag) for name, tag in turns.given.items()],
    )


def keep_used(db: Database, used: dict[str, Used]) -> None:
    """Store what tenants have used."""
    rows = [
        (name, each.at, each.runs, each.runs_rate, each.cpu_seconds, each.cpu_rate, each.cost_usd)
        for name, each in used.items()
    ]
    names = USED.split(", ")
    sets = ", ".join(f"{name} = excluded.{name}" for name in names)
    db.executemany(
        f"""INSERT INTO tenants(tenant, {USED}) VALUES(?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(tenant) DO UPDATE SET {sets}""",
        rows,
    )


def used_by(db: Database, tenant: str, now: int) -> Used:
    """What a tenant has used, as it was stored."""
    row = db.execute(f"SELECT {USED} FROM tenants WHERE tenant = ?", (tenant,)).fetchone()
    return Used(now) if row is None else used_of(row, now)


# What says nothing any more: tags behind virtual time, tenants that owe nothing.
_STALE_TURNS = "FROM turns WHERE tag <= (SELECT virtual_time FROM pools p WHERE p.pool = turns.pool)"
_STALE_TENANTS = """FROM tenants WHERE cost_usd = 0 AND at < ?
AND (cpu_rate IS NULL OR cpu_seconds <= cpu_rate * (? - at) / 60000.0)"""


def is_stale(db: Database, now: int) -> bool:
    """Whether there is something to forget."""
    looks = [
        (f"SELECT 1 {_STALE_TURNS} LIMIT 1", ()),
        (f"SELECT 1 {_STALE_TENANTS} LIMIT 1", (now - _FORGOTTEN_AFTER_MS, now)),
    ]
    return any(asked(db, looks))


def forget(db: Database, now: int) -> None:
    """Remove what says nothing any more."""
    db.execute(f"DELETE {_STALE_TURNS}")
    db.execute(f"DELETE {_STALE_TENANTS}", (now - _FORGOTTEN_AFTER_MS, now))


def _parts(names: Sequence[str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for start in range(0, len(names), _AT_ONCE):
        some = tuple(names[start : start + _AT_ONCE])
        yield ", ".join("?" * len(some)), some
