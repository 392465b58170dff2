"""Begins what the schedules of a store are due for: each time once, whichever of the workers comes first."""

from __future__ import annotations

from flowcage.host.durable.errors import StoreError
from flowcage.host.durable.queue.records import Schedule
from flowcage.host.durable.store import Store
from flowcage.host.resume.new.cron import last_before, next_after
from flowcage.host.resume.new.scheduled import run_of
from flowcage.host.terminal.log import Sparingly, logger

_LOG = logger("worker")


class Firing:
    """Of one worker.

    Args:
        store: that has the schedules.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._refusals = Sparingly()

    async def look(self) -> None:
        """Put what is due into the queue. Of times that nobody was there for, the last one counts.

        Raises:
            StoreError, StoreFailed: the schedules cannot be read.
        """
        for schedule in await self._store.schedules(self._store.now()):
            try:
                await self._fire(schedule)
            except StoreError as error:  # of this one alone, such as a key that another run has
                self._refuse(schedule, error)

    async def check(self) -> None:
        """Say which schedules this worker can begin nothing for, before they are due. Raises as `look`."""
        for schedule in await self._store.schedules():
            try:
                run_of(self._store, schedule, next_after(schedule.cron, self._store.now()))
            except StoreError as error:
                self._refuse(schedule, error)

    def _refuse(self, schedule: Schedule, error: StoreError) -> None:
        if self._refusals.may_tell(schedule.name) is not None:
            _LOG.warning("schedule %s begins nothing: %s", schedule.name, error)

    async def _fire(self, schedule: Schedule) -> None:
        now = self._store.now()
        at = max(schedule.next_at, last_before(schedule.cron, now))
        run = run_of(self._store, schedule, at)
        created = await self._store.fire(schedule.name, schedule.next_at, next_after(schedule.cron, now), run)
        if created is not None:
            _LOG.info("schedule %s has begun run %s", schedule.name, created.run_id)
