"""Messages to and from one child: the sans-IO connection over its pipes, every message schema-checked."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any

import trio

from flowcage.host.errors import ProtocolViolation, RunError
from flowcage.host.process import ChildProcess
from flowcage.protocol import encode
from flowcage.protocol.connection import ConnectionClosed, HostConnection
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import LocalProtocolError, RemoteProtocolError
from flowcage.protocol.messages import Message


class ChildGone(RunError):
    """The child closed its stdout or stopped reading; how it ended is for `process` to find out."""


class Channel:
    """One conversation. Only one task talks on it: replies come in the order of the requests."""

    def __init__(self, process: ChildProcess) -> None:
        # jsonschema takes a tenth of a second to import: by now the child is starting up meanwhile.
        from flowcage.schemas import validate

        self._schemas = validate
        self._process = process
        self._connection = HostConnection()
        self._waiting: deque[str] = deque()
        # One exchange at a time, so the queue never holds more than one write.
        self._outbox, self._written = trio.open_memory_channel[bytes](1)
        self.messages = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def encode(self, message: Message) -> bytes:
        """Check a message against its schema and encode it, to be sent by `exchange`.

        Raises:
            LocalProtocolError: the contract does not allow it.
            TypeError, ValueError: a value in it that JSON cannot hold.
        """
        method, params = encode.method(message), encode.params(message)
        violation = self._schemas.params_error(method, params)
        if violation is not None:
            raise LocalProtocolError(f"{method}{violation.path}: {violation.message}")
        line = self._connection.send(message)
        self._waiting.append(method)
        return line

    async def request(self, message: Message) -> Result | Failure:
        """Send one message and wait for its reply."""
        return (await self.exchange([self.encode(message)]))[0]

    async def exchange(self, lines: list[bytes]) -> list[Result | Failure]:
        """Send encoded messages in one write and wait for all their replies.

        Raises:
            ChildGone: the child ended first.
            ProtocolViolation: it said what the contract does not allow.
        """
        data = b"".join(lines)
        self.messages += 2 * len(lines)
        self.bytes_sent += len(data)
        try:
            self._outbox.send_nowait(data)
        except trio.WouldBlock:  # two writes are waiting: it answered what it cannot have read
            raise ProtocolViolation("the child answers messages that it has not read") from None
        return [await self._receive() for _ in lines]

    async def write(self) -> None:
        """Write what `exchange` hands over, until cancelled.

        A task of its own: a child that answers before it has read everything must not find us deaf.
        """
        # A child that stopped reading is found out by the end of its stdout, which says why.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._written:
                await self._process.stdin.send_all(data)

    async def _receive(self) -> Result | Failure:
        while True:
            try:
                event = self._connection.next_event()
            except RemoteProtocolError as error:
                raise ProtocolViolation(f"the child broke the protocol: {error}") from error
            if isinstance(event, ConnectionClosed):
                raise ChildGone
            if event is not None:
                self._validate(event)
                return event
            data = await self._process.read()
            self.bytes_received += len(data)
            self._connection.receive_data(data)

    def _validate(self, reply: Result | Failure) -> None:
        method = self._waiting.popleft()
        if isinstance(reply, Result):
            violation = self._schemas.result_error(method, reply.result)
        else:
            violation = self._schemas.error_error(_error_object(reply))
        if violation is not None:
            raise ProtocolViolation(
                f"the child's answer to {method} is not in the contract: "
                f"{violation.path or 'result'}: {violation.message}"
            )

    def set_max_message_bytes(self, value: int) -> None:
        """Use the effective limit that `initialize` reported."""
        self._connection.max_message_bytes = value


def _error_object(reply: Failure) -> dict[str, Any]:
    return {"code": reply.code, "message": reply.message, "data": reply.data}
