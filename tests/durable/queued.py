"""Runs in the queue of a store, for tests of it."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.queue.records import Wanted
from flowcage.host.durable.sql.sqlstore import SqlStore

from .contract import DONE
from .places import new


async def queued(store: SqlStore, *run_ids: str, **more: Any) -> None:
    """Runs of the usual pool, one after the other; of the tenant that their ids begin with."""
    for run_id in run_ids:
        more.setdefault("pool", "")
        await store.create(new(run_id, run_id[0], **more), queued=True)


async def taken(store: SqlStore, count: int = 100, **more: Any) -> list[str]:
    return [each.run_id for each in await store.take(Wanted(count, **more))]


async def ended(store: SqlStore, *run_ids: str) -> None:
    for run_id in run_ids:
        await store.end(run_id, (await store.get(run_id)).epoch, DONE)
