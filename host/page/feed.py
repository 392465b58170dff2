"""The page of a run in a store: as it stands, and as it changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

import trio

from flowcage.host.durable.records import RunRecord, Summary
from flowcage.host.durable.store import Store
from flowcage.host.page.cutting import CAPS, Caps
from flowcage.host.page.fold import About, PageFold
from flowcage.host.resume.looking.details import summary_of
from flowcage.host.resume.looking.watching import changes


async def fold_of(
    store: Store,
    run_id: str,
    tenant: str | None = None,
    *,
    about: Mapping[str, About] | None = None,
    caps: Caps = CAPS,
) -> PageFold:
    """The page of a run, which is folded in a thread.

    Args:
        store: that keeps it.
        run_id: of the run.
        tenant: whose it has to be; None for anybody's.
        about, caps: as for `PageFold`.

    Raises:
        UnknownRun: there is none; one of another tenant is none.
        DamagedEntry: it cannot be read.
    """
    await summary_of(store, run_id, tenant)
    record = await store.load(run_id)
    return await trio.to_thread.run_sync(partial(PageFold, record, about=about, caps=caps))


async def deltas(store: Store, fold: PageFold) -> AsyncGenerator[dict[str, Any]]:
    """What is new of a run, as long as a host may do something with it. Without news, nothing is told.

    Args:
        store: one that may be written to, as `Store.follow` needs it.
        fold: of the run; whoever has it has told its `whole()`.

    Raises:
        UnknownRun: the run was removed.
        DamagedEntry: it cannot be read any more.
    """
    async with aclosing(changes(store, fold.summary.run_id)) as found:
        async for summary in found:
            if (delta := await update(store, fold, summary)) is not None:
                yield delta


async def update(store: Store, fold: PageFold, summary: Summary) -> dict[str, Any] | None:
    """What is new of a run that stands so now; None for nothing."""
    before = fold.summary
    if summary == before and summary.entries == fold.next:
        return None
    entries = await store.entries(before.run_id, fold.next)
    if summary.state in ("ended", "diverged") or fold.lacks(entries):
        record: RunRecord = await store.load(before.run_id)
        new = record.entries[fold.next :]
        return fold.take(new, record.summary, ending=record.ending, workflows=record.workflows)
    return fold.take(entries, summary)
