"""Server-Sent Events: what an async generator gives, for as long as the browser is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import anyio
import trio
from starlette.types import Receive, Scope, Send

from flowcage.host.ui.api.answering import Call, directly
from flowcage.host.ui.api.problems import problem_of
from flowcage.protocol import strictjson

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
# By this a connection whose other end has gone without a word is found out.
BEAT_SECONDS = 15.0
# Between two looks whether the server is ending.
_LOOK_SECONDS = 0.5
# So long nothing may be taken by the other end, where the server can stop waiting for that.
UNREAD_SECONDS = 60.0
MOST = 64  # at once; a browser has six to one server

# Name and value; where a browser that comes again may go on behind it, also the id to say so by.
Events = AsyncGenerator[tuple[str, Any] | tuple[str, Any, str]]


class Streams:
    """All that are open of one server.

    Args:
        most: at once.
        most_each: of them for one of those whom they are for.
        is_ending: whether the server waits for them to end.
    """

    def __init__(
        self, most: int = MOST, most_each: int = MOST, is_ending: Callable[[], bool] = lambda: False
    ) -> None:
        self._most = most
        self._most_each = most_each
        self.is_ending = is_ending
        self._open: Counter[str] = Counter()
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def open(self) -> int:
        """How many."""
        return self._open.total()

    def of(self, events: Callable[[], Events], whose: str = "", call: Call = directly) -> Stream:
        """A response.

        Args:
            events: is asked for when it begins.
            whose: for whom it is.
            call: from the server to the host.
        """
        return Stream(self, lambda: _frames(events()), whose, call)

    def end(self) -> None:
        """End all that are open: the server is shutting down, and browsers come again."""
        for scope in self._scopes:
            scope.cancel()

    def begin(self, whose: str, scope: anyio.CancelScope) -> bool:
        """For a stream: whether there is room for it."""
        if self.open >= self._most or self._open[whose] >= self._most_each:
            return False
        self._open[whose] += 1
        self._scopes.add(scope)
        return True

    def over(self, whose: str, scope: anyio.CancelScope) -> None:
        """For a stream that had room."""
        self._scopes.discard(scope)
        self._open[whose] -= 1
        self._open += Counter()  # without those that have none


class Stream:
    """An ASGI response. Its end, by whichever side, is the end of the generator, and no task is left."""

    def __init__(
        self, streams: Streams, frames: Callable[[], AsyncGenerator[str]], whose: str, call: Call
    ) -> None:
        self._streams = streams
        self._frames = frames
        self._whose = whose
        self._call = call
        self._sending = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["method"] == "HEAD":  # which each route takes
            await _send_head(send, 200, _HEADERS)
            return
        ending = anyio.CancelScope()
        if not self._streams.begin(self._whose, ending):
            await _send_head(send, 503, [(b"retry-after", b"5")])
            return
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            with ending:
                await self._until_it_ends(receive, send, ending)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.over(self._whose, ending)

    async def _until_it_ends(self, receive: Receive, send: Send, ending: anyio.CancelScope) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, ending)
            group.start_soon(self._beat, send, ending)
            await self._send_all(send, ending)
            ending.cancel()

    async def _send_all(self, send: Send, scope: anyio.CancelScope) -> None:
        frames = self._frames()
        try:
            while (frame := await self._call(lambda: anext(frames, None))) is not None:
                await self._send(send, frame, scope)
        finally:
            await self._call(frames.aclose)

    async def _beat(self, send: Send, scope: anyio.CancelScope) -> None:
        quiet = 0.0
        while not self._streams.is_ending():
            await anyio.sleep(_LOOK_SECONDS)
            quiet += _LOOK_SECONDS
            if quiet >= BEAT_SECONDS:
                quiet = 0.0
                await self._send(send, ": \n\n", scope)
        scope.cancel()

    async def _send(self, send: Send, text: str, scope: anyio.CancelScope) -> None:
        async with self._sending:
            with anyio.move_on_after(UNREAD_SECONDS) as taking:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        if taking.cancelled_caught:
            scope.cancel()


async def _frames(events: Events) -> AsyncGenerator[str]:
    """What is sent, on trio: JSON is written in threads."""
    try:
        async with aclosing(events):
            async for event in events:
                yield await trio.to_thread.run_sync(_frame, *event)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        yield _frame("problem", problem.to_json())  # the browser would come again at once, and hear the same


def _frame(name: str, value: Any, identifier: str = "") -> str:
    number = f"id: {identifier}\n" if identifier else ""
    return f"{number}event: {name}\ndata: {strictjson.dumps(value)}\n\n"


async def _send_head(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
