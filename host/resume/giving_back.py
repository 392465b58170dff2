"""A run that a host has claimed and does not carry out is left as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import trio

from flowcage.host.durable.errors import Fenced, StoreFailed, UnknownRun
from flowcage.host.durable.records import Created, Ending, NewRun, RunRecord, Summary
from flowcage.host.durable.store import Store
from flowcage.host.durable.ticket import Ticket
from flowcage.host.outcome.report import Outcome
from flowcage.host.outcome.verdict import Verdict

T = TypeVar("T")

# For the last commit of a run whose host was told to end.
LAST_COMMIT_SECONDS = 10.0
# The kind of a diagnostic: a result was told that no store has.
END_NOT_KEPT = "end_not_kept"


async def to_its_end(work: Callable[[], Awaitable[T]]) -> T:
    """Carry out what is better not broken off: where it is cancelled, it has `LAST_COMMIT_SECONDS` more.

    Raises:
        trio.Cancelled: that was too short.
    """
    scope = trio.CancelScope(shield=True)
    failure: Exception | None = None

    async def hurry() -> None:
        with suppress(trio.Cancelled):
            await trio.sleep_forever()
        scope.deadline = trio.current_time() + LAST_COMMIT_SECONDS

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hurry)
        with scope:
            try:
                result = await work()
            except Exception as error:  # raised outside the nursery, which would wrap it in a group
                failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if scope.cancelled_caught:
        await trio.lowlevel.checkpoint_if_cancelled()
    return result


async def give_back(store: Store, run_id: str, epoch: int, before: Ending | None) -> None:
    """Leave a run of which nothing was carried out; where it is not this host's, this does nothing.

    Args:
        store: that keeps it.
        run_id, epoch: of the claim.
        before: how it had ended; None where it had not.
    """
    ticket = store.release(run_id, epoch) if before is None else store.end(run_id, epoch, before)
    with trio.move_on_after(LAST_COMMIT_SECONDS, shield=True), suppress(Fenced, StoreFailed, UnknownRun):
        await ticket


async def made(store: Store, run: NewRun) -> Created:
    """Have a store keep a new run. Raises as `Store.create`."""
    try:
        return await store.create(run)
    except trio.Cancelled:  # it may be there all the same
        await give_back(store, run.run_id, 1, Ending(Verdict.CANCELLED))
        raise


async def claimed(store: Store, summary: Summary, before: Ending | None, *, reopen: bool) -> int | None:
    """Claim a run. Its epoch; None where another host has it.

    Args:
        store: that keeps it.
        summary: of the run.
        before: as for `give_back`.
        reopen: as for `Store.claim`.
    """
    try:
        return await store.claim(summary.run_id, reopen=reopen)
    except trio.Cancelled:  # it may be this host's all the same
        await give_back(store, summary.run_id, summary.epoch + 1, before)
        raise


async def as_claimed(store: Store, record: RunRecord, epoch: int) -> RunRecord:
    """A run as it is for the host that has claimed it; it was loaded just before."""
    now = await store.get(record.summary.run_id)
    is_same = epoch - record.summary.epoch <= 1 and now.entries == record.summary.entries
    return record._replace(summary=now) if is_same else await store.load(now.run_id)


async def last_word(store: Store, ticket: Ticket[None], verdict: Verdict) -> bool:
    """Wait until the end of a run is written; not for long where the store takes nothing. Whether it was.

    A run that is not written to be over can be resumed, and ends then as it has now. A result is waited for
    as long as the disk is only slow.
    """
    while True:
        with trio.move_on_after(LAST_COMMIT_SECONDS):
            await ticket
            return True
        if verdict is not Verdict.COMPLETED or store.trouble is not None:
            return False


def not_kept(outcome: Outcome, why: str | None) -> Outcome:
    """An outcome that says that its store does not know of it."""
    message = (
        f"the run has completed, and its store does not say so, because nothing can be written to it: {why}; "
        "resumed, it would ask again what is not written"
    )
    notes = (*outcome.report.diagnostics, {"kind": END_NOT_KEPT, "message": message})
    return replace(outcome, report=replace(outcome.report, diagnostics=notes))
