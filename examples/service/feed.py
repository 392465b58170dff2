"""One run's events on their way to a client, as Server-Sent Events; a slow reader misses some and is told so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import trio

from flowcage.host import Outcome
from flowcage.host.events import Event
from flowcage.protocol import strictjson

from .problems import Problem

MAX_EVENTS = 100
# Without a word for longer, proxies lose patience, and a client that is gone would be noticed late.
SILENCE_SECONDS = 15.0

Item: TypeAlias = Event | Outcome | Problem


class Feed:
    """Keeps up to `MAX_EVENTS` events that the client has not read yet."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[tuple[int, Item]](MAX_EVENTS)
        self._missed = 0

    def listen(self, event: Event) -> None:
        """Add an event, or count it as missed; never waits. For `RunOptions.listener`."""
        try:
            self._send.send_nowait((self._missed, event))
            self._missed = 0
        except trio.WouldBlock:
            self._missed += 1

    async def end(self, item: Outcome | Problem) -> None:
        """Add the last one, when the client has read enough. The run is over by then and holds nothing."""
        await self._send.send((self._missed, item))

    async def first(self) -> Item:
        """Wait for whatever comes first. `frames` does not repeat it."""
        return (await self._receive.receive())[1]

    async def frames(self, first: Item) -> AsyncIterator[bytes]:
        """The text of the event stream, beginning with this item."""
        missed, item = 0, first
        while True:
            if missed:
                yield _frame("gap", {"missed": missed})
            yield _frame(*_described(item))
            if not isinstance(item, Event):
                return
            while (received := await self._receive_soon()) is None:
                yield b": still running\n\n"
            missed, item = received

    async def _receive_soon(self) -> tuple[int, Item] | None:
        with trio.move_on_after(SILENCE_SECONDS):
            return await self._receive.receive()
        return None


def result_of(outcome: Outcome) -> dict[str, Any]:
    """What a client is told of a run that completed."""
    return {"runId": outcome.run_id, "result": outcome.result, "usage": outcome.usage.to_json()}


def _described(item: Item) -> tuple[str, dict[str, Any]]:
    if isinstance(item, Problem):
        return "problem", item.body
    if isinstance(item, Outcome):
        return "outcome", result_of(item)
    body = item.to_json()
    return body["type"], body


def _frame(kind: str, body: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {strictjson.dumps(body)}\n\n".encode()
