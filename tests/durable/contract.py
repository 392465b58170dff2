"""The contract of a store: each clause is a function of a place, which raises if it is broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio
import trio.testing

from flowcage.host.durable.journal import Journal
from flowcage.host.durable.records import Ending
from flowcage.host.durable.sql.sqlstore import SqlStore

from . import places
from .places import Place

Clause: TypeAlias = Callable[[Place], Awaitable[None]]
CLAUSES: dict[str, Clause] = {}
DONE = Ending("completed", {"a": 1}, None, {"tokens": 3})


async def dead(store: SqlStore, count: int) -> None:
    """Wait until so many runs can be claimed: a server is told of the death of a client a little later."""
    with trio.fail_after(places.DEADLINE_S):
        while len(await store.claimable()) < count:  # noqa: ASYNC110
            await trio.sleep(0.01)


def journal_of(store: SqlStore, run_id: str, epoch: int = 1, seq: int = 0) -> Journal:
    """What this host writes to a run that it has."""
    return Journal(store, run_id, epoch, seq)


def clause(check: Clause) -> Clause:
    CLAUSES[check.__name__] = check
    return check
