"""One request and its answer, over HTTP."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import TypeVar

import httpx
import trio

from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.http.network.connections import Connections
from flowcage.host.agents.http.network.failure import Failure, Kind, refusal_of
from flowcage.host.agents.http.network.lines import Events, Lines, Whole
from flowcage.host.agents.http.network.setup import Setup, is_here
from flowcage.host.agents.http.reading import Reading
from flowcage.host.agents.scarcity import advice_for_connection
from flowcage.host.agents.trace import trace_headers
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json
from flowcage.protocol.version import PACKAGE_VERSION

# Of an error's body; the rest is not read.
_MAX_ERROR_BYTES = 64 * 1024
# Of one message, which is kept until it is whole. The last one may repeat the answer, in escapes.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
# Of one body, most of which is the dress of small pieces of an answer.
MAX_BODY_BYTES = 1024 * 1024 * 1024
# For the end of a body behind the end of the answer: no more than a few bytes.
_REST_SECONDS = 1.0

T = TypeVar("T")


class Wire:
    """Sends requests of one agent.

    Args:
        setup: of the agent.
        path: behind the base URL.
        is_events: whether answers are server-sent events.
        advice: what to do where nobody answers.
    """

    def __init__(self, setup: Setup, path: str, *, is_events: bool, advice: str) -> None:
        try:
            self._url = httpx.URL(setup.base_url + path)
        except httpx.InvalidURL as error:
            raise AgentSpecError(f"the base URL of agent {setup.name!r} is none: {error}") from None
        self._idle_s = math.inf if setup.idle_timeout_s is None else setup.idle_timeout_s
        self._is_events = is_events
        self._advice = advice
        self._connections = Connections(self._url, setup.connect_timeout_s)

    async def send(
        self,
        content: bytes,
        headers: Mapping[str, str],
        reading: Reading,
        heard: Callable[[], None],
    ) -> None:
        """Send one request and read its answer.

        Args:
            content: the request's JSON.
            headers: of the request.
            reading: takes the answer.
            heard: called after each message of it.

        Raises:
            Failure: there is no whole answer; `reading` has what came of it.
        """
        async with self._connections.lent() as client:
            request = httpx.Request(
                "POST", self._url, headers=self._headers(content, headers), stream=_Body(content)
            )
            response = await self._in_time(lambda: client.send(request, stream=True))
            try:
                await self._take(response, reading, heard)
            finally:
                await response.aclose()

    def _headers(self, content: bytes, own: Mapping[str, str]) -> dict[str, str]:
        return {
            "host": self._url.netloc.decode(),
            "user-agent": f"flowcage/{PACKAGE_VERSION}",
            "accept": "*/*",
            "accept-encoding": "identity",  # what a server compresses could become anything
            "content-type": "application/json",
            "content-length": str(len(content)),
            **trace_headers(),
            **own,
        }

    async def _take(self, response: httpx.Response, reading: Reading, heard: Callable[[], None]) -> None:
        headers = {name.lower(): value for name, value in response.headers.items()}
        pieces = response.aiter_bytes()
        try:
            if response.status_code != 200:
                content = await self._beginning(pieces)
                raise refusal_of(response.status_code, headers, content, time.time())
            await self._read(pieces, self._cutter(headers), reading, heard)
        finally:
            await _finish(pieces, _REST_SECONDS if reading.is_whole else 0.0)
        if not reading.is_whole:
            raise Failure("closed the connection before its answer had ended", Kind.PASSING)

    async def _read(
        self,
        pieces: AsyncIterator[bytes],
        cutter: Events | Lines | Whole,
        reading: Reading,
        heard: Callable[[], None],
    ) -> None:
        left = MAX_BODY_BYTES
        while (piece := await self._in_time(lambda: _next(pieces))) is not None:
            left -= len(piece)
            if left < 0 or cutter.pending > MAX_MESSAGE_BYTES:
                raise Failure("sent more than an answer can have")
            _feed(reading, cutter.feed(piece), heard)
            if reading.is_whole:
                return
        _feed(reading, cutter.end(), heard)
        reading.close()

    def _cutter(self, headers: Mapping[str, str]) -> Events | Lines | Whole:
        kind = headers.get("content-type", "")
        if self._is_events:
            return Whole() if kind.startswith("application/json") else Events()
        return Lines()

    async def _beginning(self, pieces: AsyncIterator[bytes]) -> bytes:
        content = b""
        while len(content) < _MAX_ERROR_BYTES:
            try:
                piece = await self._in_time(lambda: _next(pieces))
            except Failure:  # its status says enough
                break
            if piece is None:
                break
            content += piece
        return content[:_MAX_ERROR_BYTES]

    async def _in_time(self, step: Callable[[], Awaitable[T]]) -> T:
        """A step with the network, within the idle limit.

        Raises:
            Failure: it failed, or nothing came.
        """
        try:
            with trio.move_on_after(self._idle_s):
                return await step()
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise self._broken(error) from None
        raise Failure(f"sent nothing for {self._idle_s:g} s", Kind.PASSING)

    def _is_refused_here(self, error: BaseException) -> bool:
        """Whether nobody listens on this machine: whoever is to start a server there is who waits."""
        return is_here(self._url.host) and any(
            isinstance(each, ConnectionRefusedError) for each in _causes(error)
        )

    def _broken(self, error: Exception) -> Failure:
        if isinstance(error, httpx.ConnectTimeout):
            return Failure(f"did not take a connection in time{self._advice}", Kind.PASSING)
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Failure(f"could not be connected to: {cause}")
            if advice := advice_for_connection(cause):
                return Failure(f"could not be connected to: {cause}{advice}", Kind.PASSING)
        if isinstance(error, httpx.ConnectError):
            kind = Kind.UNAVAILABLE if self._is_refused_here(error) else Kind.PASSING
            return Failure(f"could not be connected to: {error}{self._advice}", kind)
        if isinstance(
            error, httpx.NetworkError | httpx.RemoteProtocolError | httpx.TimeoutException | OSError
        ):
            return Failure(f"broke the connection: {error or type(error).__name__}", Kind.PASSING)
        return Failure(f"could not be asked: {type(error).__name__}: {error}")


def _feed(reading: Reading, messages: Iterator[bytes], heard: Callable[[], None]) -> None:
    for message in messages:
        reading.feed(_json(message))
        heard()
        if reading.is_whole:
            return


def _json(message: bytes) -> Json:
    if not message.strip() or message == b"[DONE]":
        return None
    try:
        value: Json = strictjson.loads(message)
    except UnicodeDecodeError as error:
        raise Failure(f"sent bytes that are not UTF-8: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Failure(f"sent what is not JSON: {error}") from None
    return value


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it; several addresses of one name fail as a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


async def _finish(pieces: AsyncIterator[bytes], seconds: float) -> None:
    """Read what is left, so that the connection can be used again; after so many seconds it is closed.

    httpx has generators within generators, and closing the outermost leaves the others to the garbage
    collector, which is too late for a connection. A cancellation while they read ends all of them.
    """
    with trio.move_on_after(seconds), suppress(httpx.HTTPError, httpx.StreamError, OSError):
        async for _ in pieces:
            pass


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


class _Body(httpx.AsyncByteStream):
    """The body of a request in one piece, and no generator that a cancelled write would leave behind."""

    def __init__(self, content: bytes) -> None:
        self._pieces = [content]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()
