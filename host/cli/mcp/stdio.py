"""A client's messages over stdin and stdout, one line of JSON each.

The SDK's own transport reads in a thread, which no signal ends, takes lines of any length, and waits for a
client that does not read without a limit. Here nothing is read while anything is to be written, so a client
that never reads is asked for nothing more, and after a while it counts as gone.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import trio
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, JSONRPCNotification, jsonrpc_message_adapter

from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from typing import TypeAlias

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    Receiving: TypeAlias = MemoryObjectReceiveStream[SessionMessage | Exception]
    Told: TypeAlias = MemoryObjectReceiveStream[SessionMessage]
    Sending: TypeAlias = MemoryObjectSendStream[SessionMessage]

MESSAGE_BYTES = 16 * 1024 * 1024
UNREAD_SECONDS = 120.0


class ClientGone(Exception):
    """There is nobody to talk to any more; the message says why, where that is worth telling."""


class Wire:
    """Two descriptors, and the lines on them.

    Args:
        incoming, outgoing: descriptors, which are closed at the end.
        unread_seconds: after which a client that takes nothing is gone.
    """

    def __init__(self, incoming: int, outgoing: int, unread_seconds: float = UNREAD_SECONDS) -> None:
        self._incoming = trio.lowlevel.FdStream(incoming)
        self._outgoing = trio.lowlevel.FdStream(outgoing)
        self._unread_seconds = unread_seconds
        self._writing = trio.Lock()
        self._told = trio.lowlevel.ParkingLot()

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[Receiving, Sending]]:
        """What the SDK's server reads and writes, for the length of a block. Raises `ClientGone`."""
        to_server, receiving = anyio.create_memory_object_stream[SessionMessage | Exception]()
        sending, from_server = anyio.create_memory_object_stream[SessionMessage]()
        async with self._incoming, self._outgoing, trio.open_nursery() as nursery:
            nursery.start_soon(self._read_all, to_server, from_server)
            nursery.start_soon(self._write_all, from_server)
            async with receiving, sending:
                yield receiving, sending
            nursery.cancel_scope.cancel()

    async def _read_all(
        self, to_server: MemoryObjectSendStream[SessionMessage | Exception], from_server: Told
    ) -> None:
        async with to_server, aclosing(self._lines()) as lines:
            async for line in lines:
                await self._all_told(from_server)
                message = _read(line)
                if isinstance(message, ValueError):
                    await self._write(_refusal(message))
                else:
                    await to_server.send(message)

    async def _all_told(self, from_server: Told) -> None:
        """Wait until no answer waits to be written."""
        while from_server.statistics().tasks_waiting_send:
            await self._told.park()

    async def _lines(self) -> AsyncGenerator[bytes]:
        rest = bytearray()
        while data := await self._received():
            rest += data
            *lines, rest = rest.split(b"\n")
            if max(map(len, (*lines, rest))) > MESSAGE_BYTES:
                raise ClientGone(f"a message of more than {MESSAGE_BYTES:,} bytes")
            for line in lines:
                if line.strip():
                    yield bytes(line)

    async def _received(self) -> bytes | bytearray:
        async with self._writing:
            pass
        try:
            return await self._incoming.receive_some()
        except trio.BrokenResourceError:
            return b""

    async def _write_all(self, from_server: Told) -> None:
        async with from_server:
            async for each in from_server:
                text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                await self._write(text.encode() + b"\n")
                self._told.unpark_all()

    async def _write(self, data: bytes) -> None:
        try:
            with trio.fail_after(self._unread_seconds):
                async with self._writing:
                    await self._outgoing.send_all(data)
        except trio.TooSlowError:
            raise ClientGone(f"the client has read nothing for {self._unread_seconds:g} seconds") from None
        except trio.BrokenResourceError:
            raise ClientGone("") from None


def _read(line: bytes) -> SessionMessage | ValueError:
    try:
        strictjson.check_structure(line)
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        if isinstance(message, JSONRPCNotification) and strictjson.loads(line).get("id") is not None:
            raise ValueError("an id that none can have: whoever sent it would wait for an answer")
        return SessionMessage(message)
    except ValueError as error:
        return error


def _refusal(error: ValueError) -> bytes:
    """What is answered to a line that is no message; whose request it was is not known."""
    why = str(error) if isinstance(error, strictjson.StructureError) else "this is no message of JSON-RPC"
    told = {"jsonrpc": "2.0", "id": None, "error": {"code": PARSE_ERROR, "message": why}}
    return strictjson.encoded(told) + b"\n"


def own_streams() -> Wire:
    """Those of this process. What else is printed goes to stderr, and not between the messages."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    return Wire(incoming, outgoing)
