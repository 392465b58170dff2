"""The end of a run that somebody outside of it asks for."""

from __future__ import annotations

from typing import Literal, TypeAlias

from flowcage.host.durable.errors import RunHasEnded
from flowcage.host.durable.records import Ending
from flowcage.host.durable.store import Store
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.outcome.ending import explain

# It is over, since nobody had it; or its host was asked to end it.
Cancelling: TypeAlias = Literal["ended", "asked"]


async def cancel(store: Store, run_id: str, reason: str = "") -> Cancelling:
    """End a run of a store, or ask the host that has it to do so.

    Raises:
        UnknownRun: there is none.
        RunHasEnded: it is over.
        StoreFailed: the store takes nothing.
    """
    error = CancelRequested(reason)  # as the host of a live run has it
    ending = Ending(error.verdict.value, error={**explain(error)})
    await store.cancel(run_id, reason)
    try:
        return "ended" if await store.end_unowned(run_id, ending) else "asked"
    except RunHasEnded:  # between the two
        return "ended"
