"""Numbers of the queue that may be none: a row that somebody else wrote, or that was damaged.

SQLite keeps a text where a number belongs, both keep what is infinite. Whoever looks at all rows of the queue
must not fail for one of them: whose it is may suffer, and nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from flowcage.host.durable.queue.turns import Used
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.schema import readable

USED = "at, runs, runs_rate, cpu_seconds, cpu_rate, cost_usd"
# Beyond it a double does not count on by ones.
_MOST = 2**53


def is_amount(value: object) -> TypeGuard[float]:
    """Whether something counts: it is a number, and neither negative nor without end."""
    return type(value) in (int, float) and 0 <= value <= _MOST  # type: ignore[operator]


def are_whole(*values: object) -> bool:
    """Whether all are whole numbers that one may be added to: the last of a column has none behind it."""
    return all(type(each) is int and -_MOST <= each <= _MOST for each in values)


def used_of(row: tuple[object, ...], now: int) -> Used:
    """What a tenant has used, from its row."""
    at, *amounts, cost_usd = row
    may_be_null = all(each is None or is_amount(each) for each in amounts[1::2])
    if type(at) is int and is_amount(at) and may_be_null and all(map(is_amount, (*amounts[::2], cost_usd))):
        return Used(*row)  # type: ignore[arg-type]
    return Used(now, is_known=False)


def problems(db: Database) -> Iterator[str]:
    """What is in rows of the queue that cannot be, and what to do about it."""
    for tenant, *row in db.execute(f"SELECT tenant, {USED} FROM tenants").fetchall():
        if not used_of(tuple(row), 0).is_known:
            yield (
                f"what tenant {readable(tenant)!r:.100} has used cannot be read, so it gets no turns: "
                "remove its row from the table tenants"
            )
    for pool, tenant, tag in db.execute("SELECT pool, tenant, tag FROM turns").fetchall():
        if not is_amount(tag):
            yield f"the turn of tenant {readable(tenant)!r:.100} in pool {readable(pool)!r} was no number"
    for pool, time in db.execute("SELECT pool, virtual_time FROM pools").fetchall():
        if not is_amount(time):
            yield f"the turns of pool {readable(pool)!r} had no number"
    sql = "SELECT run_id, priority, created_at, epoch FROM runs WHERE state = 'queued' AND pool IS NOT NULL"
    for run_id, *row in db.execute(sql).fetchall():
        if not are_whole(*row):
            yield f"run {run_id} has a number that is none, and no worker takes it: remove it"
