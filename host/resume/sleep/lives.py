"""A kept run from here to its end, in this task: through all of its sleeps."""

from __future__ import annotations

from collections.abc import Callable

from flowcage.host.durable.store import Store
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.kept import KeptRun, take_up
from flowcage.host.resume.sleep.asleep import Asleep, until_due
from flowcage.host.run.run import Run


async def to_the_end(store: Store, kept: KeptRun, make_run: Callable[[KeptRun], Run]) -> Outcome:
    """Carry a run out.

    Args:
        store: that keeps it.
        kept: the run, which this host has.
        make_run: makes each of its lives by `KeptRun.run`.

    Raises:
        RunError: as `KeptRun.execute`.
        NotResumable: another host has woken the run, or it was ended while it was asleep.
    """
    while True:
        try:
            return await kept.execute(make_run(kept))
        except Asleep as told:
            asleep = told.bare()
        if asleep.epoch is None:
            await until_due(store, kept.run_id)
        kept = await take_up(store, kept.run_id, after=asleep)
