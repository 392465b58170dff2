"""What one client hears of runs: a notification for each event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing

import trio

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.events.records import Event, Gap
from flowcage.host.rpc.run import RpcRun
from flowcage.host.rpc.wire import MAX_MESSAGE_BYTES, Wire
from flowcage.host.terminal.log import logger, reason_of
from flowcage.protocol import envelope

_LOG = logger("rpc")


class Hearing:
    """Of one client.

    Args:
        wire: to it.
        ended: is called with the end of each run that it hears of.

    Attributes:
        open: runs that it hears of.
    """

    def __init__(self, wire: Wire, ended: Callable[[], None]) -> None:
        self.open = 0
        self._wire = wire
        self._ended = ended

    def follow(self, nursery: trio.Nursery, run: RpcRun, client: object) -> None:
        """Send the events of a run of this process from now on."""
        run.told[client] = told = trio.Event()
        stream = run.events()

        async def send() -> None:
            await run.ready.wait()
            await self._send(run.run_id, stream)
            told.set()
            self._end()

        self.open += 1
        nursery.start_soon(send)

    def tell(self, nursery: trio.Nursery, run_id: str, events: AsyncGenerator[Event]) -> None:
        """Send these events of a run that no client answers for."""

        async def send() -> None:
            try:
                async with aclosing(events):
                    await self._send(run_id, events)
            except (StoreError, StoreFailed) as error:  # it was removed, or the store is away
                _LOG.warning("events of run %s are not told any more: %s", run_id, reason_of(str(error)))
            self._end()

        self.open += 1
        nursery.start_soon(send)

    async def _send(self, run_id: str, events: AsyncIterable[Event]) -> None:
        async for event in events:
            line = _line(run_id, event)
            if len(line) > MAX_MESSAGE_BYTES:
                line = _line(run_id, Gap(event.run_id, event.at, 1))
            await self._wire.send(line)

    def _end(self) -> None:
        self.open -= 1
        self._ended()


def _line(run_id: str, event: Event) -> bytes:
    return envelope.notification("run.event", {"runId": run_id, "event": event.to_json()})
