"""``flowcage resume`` of a run that workers carry out: it goes back into its queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from flowcage.host.cli import exits
from flowcage.host.cli.console import fail, say
from flowcage.host.cli.runs import access
from flowcage.host.durable.address import StorePlace
from flowcage.host.terminal.text import leave

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord
    from flowcage.host.durable.store import Store


def requeue_if_queued(
    store: StorePlace, record: RunRecord, given: Mapping[str, Any], *, even_if_cancelled: bool
) -> None:
    """Put a run that came from the queue back there, and leave; nothing for a run of no pool.

    Args:
        store, record: of the run.
        given: options of the command; some are for a run that goes on in this process.
        even_if_cancelled: whether a run that was cancelled is gone on with.
    """
    if record.summary.pool is None:
        return
    if found := [f"--{name}" for name in ("timeout", "events", "detach") if given.get(name)]:
        fail(exits.USAGE, f"{', '.join(found)}: a worker goes on with this run; leave it out")
    _requeue(store, record.summary.run_id, even_if_cancelled=even_if_cancelled)


def _requeue(store: StorePlace, run_id: str, *, even_if_cancelled: bool) -> NoReturn:
    from flowcage.host.resume.new.queued import requeue
    from flowcage.host.resume.refusals import NotResumable

    async def work(opened: Store) -> None:
        await requeue(opened, run_id, even_if_cancelled=even_if_cancelled)

    try:
        access.write(store, work)
    except NotResumable as error:
        fail(exits.USAGE, str(error))
    say(f"run {run_id} is in the queue again; flowcage wait {run_id} waits for its end")
    leave(exits.DONE)
