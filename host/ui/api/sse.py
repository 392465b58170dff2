"""Server-Sent Events: what an async generator gives, for as long as the browser is there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import trio
from starlette.types import Receive, Scope, Send

from flowcage.host.ui.api.problems import problem_of
from flowcage.protocol import strictjson

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
# By this a connection whose other end has gone without a word is found out.
BEAT_SECONDS = 15.0
MOST = 64  # at once; a browser has six to one server

Events = AsyncGenerator[tuple[str, Any]]


class Streams:
    """All that are open of one server."""

    def __init__(self) -> None:
        self.open = 0

    def of(self, events: Callable[[], Events]) -> Stream:
        """A response. `events` is asked for when it begins."""
        return Stream(self, events)


class Stream:
    """An ASGI response. Its end, by whichever side, is the end of the generator, and no task is left."""

    def __init__(self, streams: Streams, events: Callable[[], Events]) -> None:
        self._streams = streams
        self._events = events
        self._sending = trio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        is_full, only_head = self._streams.open >= MOST, scope["method"] == "HEAD"  # which each route takes
        if is_full or only_head:
            status, headers = (503, [(b"retry-after", b"5")]) if is_full else (200, _HEADERS)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        self._streams.open += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._until_it_ends(receive, send)
        finally:
            self._streams.open -= 1

    async def _until_it_ends(self, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            nursery.start_soon(self._beat, send)
            await self._send_all(send)
            nursery.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        try:
            async with aclosing(self._events()) as events:
                async for name, value in events:
                    data = await trio.to_thread.run_sync(strictjson.dumps, value)
                    await self._send(send, f"event: {name}\ndata: {data}\n\n")
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            # The browser would come again at once, and hear the same.
            await self._send(send, f"event: problem\ndata: {strictjson.dumps(problem.to_json())}\n\n")

    async def _beat(self, send: Send) -> None:
        while True:
            await trio.sleep(BEAT_SECONDS)
            await self._send(send, ": \n\n")

    async def _send(self, send: Send, text: str) -> None:
        async with self._sending:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
