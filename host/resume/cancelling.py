"""The end of a run that somebody outside of it asks for."""

from __future__ import annotations

from typing import Literal, TypeAlias

from flowcage.host.durable.errors import RunHasEnded
from flowcage.host.durable.records import Ending
from flowcage.host.durable.store import Store
from flowcage.host.outcome.verdict import Verdict

# It is over, since nobody had it; or its host was asked to end it.
Cancelling: TypeAlias = Literal["ended", "asked"]


async def cancel(store: Store, run_id: str, reason: str = "") -> Cancelling:
    """End a run of a store, or ask the host that has it to do so.

    Raises:
        UnknownRun: there is none.
        RunHasEnded: it is over.
        StoreFailed: the store takes nothing.
    """
    message = f"cancelled: {reason}" if reason else "cancelled"
    ending = Ending(Verdict.CANCELLED.value, error={"kind": Verdict.CANCELLED.value, "message": message})
    await store.cancel(run_id, reason)
    try:
        return "ended" if await store.end_unowned(run_id, ending) else "asked"
    except RunHasEnded:  # between the two
        return "ended"
