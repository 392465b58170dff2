"""Waiting for what another host does with a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import trio

from flowcage.host.durable.records import Summary
from flowcage.host.durable.store import Store

# That a host was killed is no news, so it is looked at from time to time whether it lives.
_LOOK_SECONDS = 2.0


def may_change(summary: Summary) -> bool:
    """Whether a host may do something with a run: it has it, or may wake it or take it from a queue.

    What a dead worker had is back in its queue soon.
    """
    is_left = summary.is_abandoned and summary.pool is None
    return summary.state not in ("ended", "diverged") and not is_left


async def until_over(store: Store, run_id: str) -> None:
    """Wait until a run of the queue is over, whichever workers have it meanwhile.

    Raises:
        UnknownRun: there is none, or none any more.
    """
    while (await store.get(run_id)).state not in ("ended", "diverged"):
        with trio.move_on_after(_LOOK_SECONDS):
            await store.news()


async def changes(store: Store, run_id: str) -> AsyncGenerator[Summary]:
    """How a run stands: at first, and whenever it may have changed, as long as its host lives.

    The last is that of a run that is over, or that no living host has and no worker takes.

    Raises:
        UnknownRun: there is none, or none any more.
    """
    await store.follow(run_id)
    while True:
        summary = await store.get(run_id)
        yield summary
        if not may_change(summary):
            return
        with trio.move_on_after(_LOOK_SECONDS):
            await store.news()
