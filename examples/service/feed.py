"""One run's events on their way to a client, as Server-Sent Events; a slow reader misses some."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import trio

from flowcage import Outcome
from flowcage.events import Event, EventStream

from . import json_text
from .problems import Problem

# What the host keeps for a client that does not read.
MAX_EVENTS = 1_000
MAX_BYTES = 256 * 1024
# After a longer silence proxies close the connection, and a client that has left would be noticed late.
SILENCE_SECONDS = 15.0


class Feed:
    """The events of a run, and then its outcome or a problem.

    Attributes:
        events: the run's listener.
    """

    def __init__(self) -> None:
        self.events = EventStream(MAX_EVENTS, MAX_BYTES)
        self._iterator = aiter(self.events)
        self._ended = trio.Event()
        self._end: Outcome | Problem | None = None

    def end(self, end: Outcome | Problem) -> None:
        """Set the outcome of the run, or the problem."""
        self._end = end
        self._ended.set()
        self.events.close()

    async def first(self) -> Event | None:
        """Wait for the first event, and give it to `frames`.

        Raises:
            Problem: there is none: the run was refused.
        """
        first = await anext(self._iterator, None)
        if first is None and isinstance(self._end, Problem):
            raise self._end
        return first

    async def frames(self, event: Event | None) -> AsyncIterator[bytes]:
        """The text of the event stream, beginning with this event."""
        silent = False
        while event is not None:
            body = event.to_json()
            yield b": still running\n\n" if silent else _frame(body["type"], body)
            with trio.move_on_after(SILENCE_SECONDS) as patience:
                event = await anext(self._iterator, None)
            silent = patience.cancelled_caught
        await self._ended.wait()
        if isinstance(self._end, Outcome):
            yield _frame("outcome", self._end.to_json())
        elif self._end is not None:
            yield _frame("problem", self._end.body)


def _frame(kind: str, body: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json_text.dumps(body)}\n\n".encode()
