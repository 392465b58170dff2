"""flowcage's queue: the table of runs in Postgres, and a worker that takes runs and carries out nothing.

What a run itself costs is another matter: procrastinate's job is an empty function too.
"""

from __future__ import annotations

import trio
from backlog.contract import Settings, tell_began, tell_ready

from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.records import Ending, NewRun, NewWorkflow
from flowcage.host.run.core.rules import Rules

SOURCE = "export default 1"
_LOOK_SECONDS = 5.0


class Flowcage:
    """See `Engine`."""

    program = "backlog.flowcages"

    def __init__(self, address: str) -> None:
        self.address = address
        self._store = PostgresStore.open(address)
        self._count = 0

    def defer(self, tenant: str, number: int) -> None:
        self._store.create(_run(tenant, number), queued=True).wait()

    def defer_many(self, tenant: str, count: int) -> None:
        tickets = [self._store.create(_run(tenant, number), queued=True) for number in range(count)]
        for ticket in tickets:
            ticket.wait()

    def close(self) -> None:
        self._store.close()


def _run(tenant: str, number: int) -> NewRun:
    return NewRun(f"{tenant}-{number}", tenant, Rules(), NewWorkflow("", SOURCE, "w.js"))


async def _work(address: str, given: Settings) -> None:
    store = await trio.to_thread.run_sync(PostgresStore.open, address)
    free = trio.Semaphore(given.slots)

    async def carry_out(run_id: str, epoch: int) -> None:
        tenant, _, number = run_id.rpartition("-")
        tell_began(tenant, int(number))
        await trio.sleep(given.hold_seconds)
        await store.end(run_id, epoch, Ending("completed"))
        free.release()

    async with trio.open_nursery() as nursery:
        tell_ready()
        while True:
            await free.acquire()
            free.release()
            taken = await _take(store, free.value)
            for run_id, epoch in taken:
                free.acquire_nowait()
                nursery.start_soon(carry_out, run_id, epoch)
            if not taken:
                with trio.move_on_after(_LOOK_SECONDS):
                    await store.news()


async def _take(store: PostgresStore, count: int) -> list[tuple[str, int]]:
    claims = [(each.run_id, await store.claim(each.run_id)) for each in await store.claimable(count)]
    return [(run_id, epoch) for run_id, epoch in claims if epoch is not None]


def work(address: str, given: Settings) -> None:
    """Take runs until the process is ended."""
    trio.run(_work, address, given)
