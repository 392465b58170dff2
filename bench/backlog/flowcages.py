"""flowcage's queue: the table of runs in Postgres, and a worker that takes runs and carries out nothing.

What a run itself costs is another matter: procrastinate's job is an empty function too.
"""

from __future__ import annotations

import trio
from backlog.contract import Settings, tell_began, tell_ready

from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.queue.records import Taken, Wanted
from flowcage.host.durable.records import Ending, NewRun, NewWorkflow
from flowcage.host.run.core.rules import Rules

SOURCE = "export default 1"
_POLL_SECONDS, _LOOK_FOR_DEAD_SECONDS = 5.0, 1.0
_COMPLETED = Ending("completed")


class Flowcage:
    """See `Engine`."""

    program = "backlog.flowcages"

    def __init__(self, address: str) -> None:
        self.address = address
        self._store = PostgresStore.open(address)
        self._count = 0

    def defer(self, tenant: str, number: int) -> None:
        self._store.create(queued(tenant, number), queued=True).wait()

    def defer_many(self, tenant: str, count: int) -> None:
        tickets = [self._store.create(queued(tenant, number), queued=True) for number in range(count)]
        for ticket in tickets:
            ticket.wait()

    def close(self) -> None:
        self._store.close()


def queued(tenant: str, number: int | str) -> NewRun:
    """A run for the usual pool."""
    return NewRun(f"{tenant}-{number}", tenant, Rules(), NewWorkflow("", SOURCE, "w.js"), pool="")


async def _work(address: str, given: Settings) -> None:
    store = await trio.to_thread.run_sync(PostgresStore.open, address)
    free = trio.Semaphore(given.slots)

    async def carry_out(run: Taken) -> None:
        _, _, number = run.run_id.rpartition("-")
        tell_began(run.tenant, int(number))
        await trio.sleep(given.hold_seconds)
        ended = store.end(run.run_id, run.epoch, _COMPLETED)
        store.charge(run.tenant, 0.0)
        free.release()  # the next take is committed behind these, and mostly with them
        await ended

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_look_for_dead, store)
        tell_ready()
        while True:
            await free.acquire()
            free.release()
            taken = await store.take(Wanted(free.value))
            for run in taken:
                free.acquire_nowait()
                nursery.start_soon(carry_out, run)
            if not taken:
                with trio.move_on_after(_POLL_SECONDS):
                    await store.news(of_queue=True)


async def _look_for_dead(store: PostgresStore) -> None:
    while True:
        await trio.sleep(_LOOK_FOR_DEAD_SECONDS)
        await store.reap()


def work(address: str, given: Settings) -> None:
    """Take runs until the process is ended."""
    trio.run(_work, address, given)
