"""A worker that is told to end while its server is away."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage import Host, RunOptions
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.queue.records import Wanted
from tests.durable.places import DEADLINE_S

from .servers import is_installed, server
from .storm import nobody

pytestmark = pytest.mark.skipif(not is_installed(), reason="Postgres is not installed, or refuses root")


class Looked(PostgresStore):
    """Tells when it is asked for runs."""

    has_looked: trio.Event

    def take(self, wanted: Wanted) -> Any:
        self.has_looked.set()
        return super().take(wanted)


def test_a_worker_ends_though_its_server_is_away() -> None:
    patient = StoreOptions(give_up_seconds=10 * DEADLINE_S)

    async def main() -> None:
        store = await trio.to_thread.run_sync(Looked.open, postgres.address, patient)
        try:
            assert isinstance(store, Looked)
            store.has_looked = trio.Event()
            await trio.to_thread.run_sync(postgres.stop)
            async with Host(store=store, worker=True, options=RunOptions(agent=nobody)) as host:
                with trio.fail_after(DEADLINE_S):
                    await store.has_looked.wait()
                    await host.drain()
                    await host.until_drained()
        finally:
            await store.aclose()

    with server() as postgres:
        trio.run(main)
