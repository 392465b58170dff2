"""Takes runs from the queue of a store while there are free slots; looks for dead workers and due schedules.

What waits, waits in the store, where every worker sees it: no more is taken than can begin. A worker looks
when there is news, when a slot becomes free, when the next run is due by the store's clock, and from time to
time, since neither a quota that is free again nor the death of a worker is news.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import trio

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.durable.queue.records import Taken, TurnLimits, Wanted, WorkerInfo
from flowcage.host.durable.store import Store
from flowcage.host.durable.ticket import Ticket
from flowcage.host.resume.giving_back import give_back, to_its_end
from flowcage.host.resume.made_by import mark
from flowcage.host.tenants.working.firing import Firing
from flowcage.host.tenants.working.worker import Worker
from flowcage.host.terminal.log import Sparingly, logger
from flowcage.protocol.version import PACKAGE_VERSION

_LOG = logger("worker")
# Without news: of what a quota holds back, and of all else.
HELD_BACK_SECONDS, POLL_SECONDS = 1.0, 3.0
# Between two looks, however much news there is: each end of a run is some for all workers. A look costs as
# much for one run as for several, so where few slots are free it waits longer for more of them.
_PAUSE_SECONDS, _FEW_SLOTS_PAUSE_SECONDS = 0.01, 0.03
_MANY_SLOTS = 0.25  # of all
# All workers together look for dead ones some times a second, however many they are.
_REAP_SECONDS, _WORKERS_PER_LOOK = 0.8, 3
# After a run of which no child could be started.
NO_CHILD_SECONDS = 10.0
# Before a store that takes nothing is asked again.
_TROUBLE_SECONDS = 1.0


class Taking:
    """Of one worker.

    Args:
        store: of the queue.
        worker: what it takes.
        limits: of a tenant over all workers; called in the committing thread.
        has_room: whether one more run may begin on this machine.
        begin: begins to carry out a run that was taken; `left` must follow.

    Attributes:
        at_work: how many that are.
        is_draining: whether nothing more is taken.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        limits: Callable[[str], TurnLimits],
        has_room: Callable[[], bool],
        begin: Callable[[Taken], None],
    ) -> None:
        self._store = store
        self._worker = worker
        self._limits = limits
        self._has_room = has_room
        self._begin = begin
        self._changed = trio.Event()
        self._idle = trio.Event()
        self._over = trio.Event()
        self._looking = trio.CancelScope()  # for as long as the store lets one wait
        self._failure: StoreFailed | None = None
        self._troubles = Sparingly()
        self._firing = Firing(store)
        self._resting_until = 0.0
        self.at_work = 0
        self.is_draining = False

    async def run(self) -> None:
        """Take until cancelled, or told to stop."""
        self._tell_what_it_is()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._look_around)
            with self._looking:
                await self._look_until_told()
            nursery.cancel_scope.cancel()
        self._over.set()

    async def _look_until_told(self) -> None:
        while not (self.is_draining or self._failure):
            self._changed, looked_at = trio.Event(), trio.current_time()
            pause = await self._look()
            with trio.move_on_after(pause):
                await self._changed.wait()
            await trio.sleep_until(looked_at + _PAUSE_SECONDS)
            if self._free < _MANY_SLOTS * self._worker.most:
                with trio.move_on_at(looked_at + _FEW_SLOTS_PAUSE_SECONDS):
                    await self._many_free()

    @property
    def _free(self) -> int:
        return self._worker.most - self.at_work

    async def _many_free(self) -> None:
        while self._free < _MANY_SLOTS * self._worker.most and not self.is_draining:
            self._changed = trio.Event()
            await self._changed.wait()

    async def until_over(self) -> None:
        """Wait until nothing is taken any more.

        Raises:
            StoreFailed: as the store takes nothing.
        """
        await self._over.wait()
        if self._failure is not None:
            raise self._failure

    def left(self) -> None:
        """A run that was taken is over, asleep, or somebody else's."""
        self.at_work -= 1
        self._changed.set()
        if not self.at_work:
            self._idle.set()

    def rest(self) -> None:
        """Take nothing for a while, as no child could be started here."""
        self._resting_until = trio.current_time() + NO_CHILD_SECONDS

    def drain(self) -> None:
        """Take nothing more."""
        if not self.is_draining:
            self.is_draining = True
            self._tell_what_it_is()
        self._looking.cancel()

    def close(self) -> None:
        """The host is being closed."""
        self.is_draining = True
        self._looking.cancel()

    async def until_idle(self) -> None:
        """Wait until nothing is left of what was taken."""
        while self.at_work:
            await self._idle.wait()

    async def _look(self) -> float:
        """Take what there is a slot for. How long to wait for news then."""
        try:
            free = self._free
            if free <= 0 or not self._may_take():
                return POLL_SECONDS
            wanted = Wanted(free, self._worker.pools, (mark(), *self._worker.marks), self._limits)
            taken = await self._take(wanted)
            return 0.0 if len(taken) == free else await self._until_due(wanted)
        except (StoreError, StoreFailed) as error:
            return self._suffer(error)

    def _suffer(self, error: StoreError | StoreFailed) -> float:
        if isinstance(error, StoreFailed) and error.is_final:
            self._failure = error
            self._changed.set()
        if self._troubles.may_tell("queue") is not None:
            _LOG.warning("nothing can be taken from the queue: %s", error)
        return _TROUBLE_SECONDS

    def _may_take(self) -> bool:
        return self._has_room() and trio.current_time() >= self._resting_until

    async def _take(self, wanted: Wanted) -> list[Taken]:
        """Take runs and begin with them; those that come when the host is being closed are given back."""

        async def take() -> list[Taken]:
            ticket = self._store.take(wanted)
            try:
                taken = await ticket
            except trio.Cancelled:  # the store may live longer than this host, and commit it then
                ticket.when_done(lambda: self._leave(ticket))
                raise
            for each in taken:
                if self.is_draining:
                    await give_back(self._store, each.run_id, each.epoch, None)
                else:
                    if not self.at_work:
                        self._idle = trio.Event()
                    self.at_work += 1
                    self._begin(each)
            return taken

        return await to_its_end(take)

    def _leave(self, ticket: Ticket[list[Taken]]) -> None:
        with suppress(StoreError, StoreFailed):
            for each in ticket.outcome():
                self._store.release(each.run_id, each.epoch)

    async def _until_due(self, wanted: Wanted) -> float:
        due = await self._store.next_in_queue(wanted)
        if due is None:
            return POLL_SECONDS
        left = (due - self._store.now()) / 1000
        return min(POLL_SECONDS, left) if left > 0 else HELD_BACK_SECONDS

    async def _listen(self) -> None:
        while True:
            await self._store.news(of_queue=True)
            self._changed.set()

    async def _look_around(self) -> None:
        """Have the runs of dead workers back in the queue, and those of schedules there: news for all."""
        pause, has_checked = _REAP_SECONDS, False
        while True:
            await trio.sleep(pause * random.uniform(0.9, 1.1))
            try:
                found = await self._store.reap()
                await (self._firing.look() if has_checked else self._firing.check())
                has_checked = True
                living = sum(each.is_alive for each in await self._store.workers())
            except (StoreError, StoreFailed) as error:
                self._suffer(error)
                continue
            if found:
                _LOG.info("runs of hosts that are gone: %s", ", ".join(found[:10]))
                self._changed.set()
            pause = _REAP_SECONDS * max(1.0, living / _WORKERS_PER_LOOK)

    def _tell_what_it_is(self) -> None:
        own, worker = mark(), self._worker
        info = WorkerInfo(
            worker.called,
            tuple(worker.pools),
            worker.most,
            own,
            PACKAGE_VERSION,
            (own, *worker.marks),
            self.is_draining,
        )
        self._store.describe(info)
