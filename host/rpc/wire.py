"""The lines between the host and one client.

Nothing waits here to be written but one line: whoever sends waits until it is taken, so what is kept for a
client that does not read is bounded by who sends. One task writes, since a sender may be cancelled, and half
a line would break the stream.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator
from io import BytesIO
from typing import Protocol

import trio

from flowcage.protocol.envelope import Line, LineReader, TooLong
from flowcage.protocol.limits import MIB

# A message has what a child's line has, and more: a result with the figures of its run.
MAX_MESSAGE_BYTES = 16 * MIB
UNREAD_SECONDS = 60.0
_AT_ONCE = 64 * 1024


class ClientGone(Exception):
    """There is nobody to talk to any more; the message says why, where that is worth telling."""


class Stream(Protocol):
    """Bytes in both directions, as trio has them."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray: ...
    async def send_all(self, data: bytes | bytearray | memoryview) -> None: ...
    async def aclose(self) -> None: ...


class Wire:
    """One connection.

    Args:
        stream: of the client.
        unread_seconds: without a byte taken of what is to be written, after which the client is gone.
    """

    def __init__(self, stream: Stream, unread_seconds: float = UNREAD_SECONDS) -> None:
        self._stream = stream
        self._unread_seconds = unread_seconds
        self._lines, self._to_write = trio.open_memory_channel[bytes](0)

    async def read(self) -> AsyncGenerator[Line | TooLong]:
        """The client's lines, until it closes its side."""
        reader = LineReader(MAX_MESSAGE_BYTES)
        while data := await self._received():
            for piece in BytesIO(data):
                for line in reader.feed(piece):
                    yield line

    async def send(self, line: bytes) -> None:
        """Wait until a line is taken to be written; cancelled before that, it is not.

        Raises:
            ClientGone: nothing is written any more.
        """
        try:
            await self._lines.send(line)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ClientGone("") from None

    async def write(self) -> None:
        """Write what is sent, until `close`.

        Raises:
            ClientGone: the client has closed its side, or takes nothing.
        """
        async with self._to_write:
            async for line in self._to_write:
                view = memoryview(line)
                for start in range(0, len(view), _AT_ONCE):
                    await self._write(view[start : start + _AT_ONCE])

    def close(self) -> None:
        """Send nothing more."""
        self._lines.close()

    async def aclose(self) -> None:
        """Close the connection."""
        await trio.aclose_forcefully(self._stream)  # type: ignore[arg-type]

    async def _received(self) -> bytes | bytearray:
        try:
            return await self._stream.receive_some(_AT_ONCE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def _write(self, data: memoryview) -> None:
        try:
            with trio.fail_after(self._unread_seconds):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            raise ClientGone(f"it has read nothing for {self._unread_seconds:g} seconds") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ClientGone("") from None


class _Descriptors:
    """Two descriptors as one stream."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = trio.lowlevel.FdStream(incoming)
        self._outgoing = trio.lowlevel.FdStream(outgoing)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._incoming.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._outgoing.send_all(data)

    async def aclose(self) -> None:
        for each in (self._incoming, self._outgoing):
            await trio.aclose_forcefully(each)


def own_stream() -> Stream:
    """The stdin and stdout of this process; what else is printed to stdout goes to stderr."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    return _Descriptors(incoming, outgoing)


def socket_stream(connection: socket.socket) -> Stream:
    """A connection of a socket."""
    return trio.SocketStream(trio.socket.from_stdlib_socket(connection))
