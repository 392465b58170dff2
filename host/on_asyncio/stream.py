"""`EventStream` for asyncio."""

from __future__ import annotations

import asyncio

from flowcage.host.events.stream import MAX_BYTES, MAX_EVENTS
from flowcage.host.events.stream import EventStream as EventStreamOnTrio


class EventStream(EventStreamOnTrio):
    """The same buffer, read by tasks of the loop that awaits the run: see `flowcage.EventStream`."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(max_events, max_bytes)
        self._waiting: set[asyncio.Future[None]] = set()

    async def _wait(self) -> None:
        await asyncio.sleep(0)
        while not self._queue and not self._closed:
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(told)
            try:
                await told
            finally:
                self._waiting.discard(told)

    def _wake(self) -> None:
        for told in self._waiting:
            if not told.done():
                told.set_result(None)
