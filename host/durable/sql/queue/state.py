"""What is kept of tenants and pools between two looks. Written under the lock of the queue alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.durable.queue.turns import Tenant, Turns, Used
from flowcage.host.durable.sql.database import Database, Row, asked
from flowcage.host.durable.sql.queue.numbers import USED, is_amount, used_of
from flowcage.host.durable.sql.schema import readable

_FORGOTTEN_AFTER_MS = 60_000  # by then its runs have flowed off


class Found(NamedTuple):
    """A tenant that has something in a pool, and what is known of it, as it is stored.

    Attributes:
        tenant: its name.
        running: how many runs it has at work.
        virtual_time: of the pool; None before its first turn.
        tag: of the tenant; None as it has had no turn for a while.
        used: in the columns `USED`; they are None where nothing of it counts.
    """

    tenant: str
    running: int
    virtual_time: object
    tag: object
    used: tuple[object, ...]

    @classmethod
    def of(cls, row: Row) -> Found:
        """From a row of `FOUND`."""
        tenant, running, virtual_time, tag, *used = row
        return cls(tenant, running, virtual_time, tag, tuple(used))

    @property
    def has_used(self) -> bool:
        """Whether something of it counts."""
        return self.used[0] is not None


# A pool is given twice.
FOUND = f"""waiting.tenant, (SELECT COUNT(*) FROM runs WHERE state = 'running' AND runs.pool IS NOT NULL
  AND runs.tenant = waiting.tenant), virtual_time, tag, {USED}"""
JOINED = """LEFT JOIN tenants ON tenants.tenant = waiting.tenant
LEFT JOIN turns ON turns.pool = ? AND turns.tenant = waiting.tenant LEFT JOIN pools ON pools.pool = ?"""


def tenants(found: Iterable[Found], now: int, limits: Callable[[str], TurnLimits]) -> dict[str, Tenant]:
    """Tenants with what they have used, and have at work, by their names as they are stored."""
    known = {}
    for each in found:
        used = used_of(each.used, now) if each.has_used else Used(now)
        used.advance(now)
        known[each.tenant] = Tenant(each.tenant, limits(readable(each.tenant)), used, each.running)
    return known


def turns_of(db: Database, pool: str, found: Sequence[Found], waiting: Mapping[str, Tenant]) -> Turns:
    """The turns of a pool."""
    tags = {each.tenant: each.tag for each in found if is_amount(each.tag)}
    time = next((each.virtual_time for each in found if each.virtual_time is not None), 0.0)
    virtual_time = time if is_amount(time) else _last_turn(db, pool)
    return Turns(virtual_time, tags, [waiting[each.tenant] for each in found])


def _last_turn(db: Database, pool: str) -> float:
    """Virtual time of a pool that has none which could be: behind no turn that was given."""
    tags = db.execute("SELECT tag FROM turns WHERE pool = ?", (pool,)).fetchall()
    return max((tag for (tag,) in tags if is_amount(tag)), default=0.0)


def keep_turns(db: Database, pool: str, turns: Turns) -> None:
    """Store what was given."""
    if not turns.given:
        return
    db.later(
        """INSERT INTO pools(pool, virtual_time) VALUES(?, ?)
        ON CONFLICT(pool) DO UPDATE SET virtual_time = excluded.virtual_time""",
        [(pool, turns.virtual_time)],
    )
    db.later(
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
    db.later(
        f"""INSERT INTO tenants(tenant, {USED}) VALUES(?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(tenant) DO UPDATE SET {sets}""",
        rows,
    )


def used_by(db: Database, tenant: str, now: int) -> Used:
    """What a tenant has used, as it was stored."""
    row = db.execute(f"SELECT {USED} FROM tenants WHERE tenant = ?", (tenant,)).fetchone()
    return Used(now) if row is None else used_of(row, now)


# What says nothing any more: tags behind virtual time, tenants that owe nothing. While a run is at work a row
# says that its CPU counts, which is charged at the end of its life.
_STALE_TURNS = "FROM turns WHERE tag <= (SELECT virtual_time FROM pools p WHERE p.pool = turns.pool)"
_STALE_TENANTS = """FROM tenants WHERE cost_usd = 0 AND at < ?
AND (cpu_rate IS NULL OR (cpu_seconds <= cpu_rate * (? - at) / 60000.0 AND NOT EXISTS(SELECT 1 FROM runs
  WHERE state = 'running' AND runs.pool IS NOT NULL AND runs.tenant = tenants.tenant)))"""


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
