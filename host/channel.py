"""Messages to and from one child: the sans-IO connection over its pipes, each held to the contract."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple

import trio

from flowcage.host import codec
from flowcage.host.errors import ChildSilent, MemoryExceeded, OutputExceeded, ProtocolViolation, RunError
from flowcage.host.process import ChildProcess
from flowcage.protocol import encode
from flowcage.protocol.connection import ConnectionClosed, HostConnection
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply, LocalProtocolError, RemoteProtocolError
from flowcage.protocol.limits import MIB
from flowcage.protocol.messages import Message

# How often a child that is taking its time is looked at.
_GLANCE_SECONDS = 0.1


class Patience(NamedTuple):
    """What a child may take before it is given up. Before `initialize` is answered it has yet to start.

    Attributes:
        answer_seconds: for one reply.
        resident_bytes: of memory (RSS).
        received_bytes: of output in the whole conversation.
    """

    answer_seconds: float = 30.0
    resident_bytes: int = 512 * MIB
    received_bytes: int = 1024 * MIB


class ChildGone(RunError):
    """The child closed its stdout or stopped reading; how it ended is for `process` to find out."""


class Channel:
    """One conversation. Only one task talks on it: replies come in the order of the requests."""

    def __init__(self, process: ChildProcess) -> None:
        self._process = process
        self._connection = HostConnection()
        self._waiting: deque[str] = deque()
        self._unwritten = 0
        # One exchange at a time, so the queue never holds more than one write.
        self._outbox, self._written = trio.open_memory_channel[bytes](1)
        self.patience = Patience()
        self.answered_in_seconds = 0.0  # from the last write to the last reply
        self._sent_at = 0.0
        self.messages = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def encode(self, message: Message) -> bytes:
        """Check a message against the contract and encode it, to be sent by `exchange`.

        Raises:
            LocalProtocolError: the contract does not allow it.
            TypeError, ValueError: a value in it that JSON cannot hold.
        """
        method, params = encode.method(message), encode.params(message)
        try:
            codec.message(method, params)
        except ErrorReply as refusal:
            raise LocalProtocolError(f"{method}: {refusal.message}") from None
        line = self._connection.send(message)
        self._waiting.append(method)
        return line

    async def request(self, message: Message) -> Result | Failure:
        """Send one message and wait for its reply, whose result is decoded."""
        return (await self.exchange([self.encode(message)]))[0]

    async def exchange(self, lines: list[bytes]) -> list[Result | Failure]:
        """Send encoded messages in one write and wait for all their replies, with their results decoded.

        Raises:
            ChildGone: the child ended first.
            ProtocolViolation: it said what the contract does not allow.
        """
        self.send(lines)
        return [await self.receive() for _ in lines]

    def send(self, lines: list[bytes]) -> None:
        """Send encoded messages in one write; `receive` their replies in the same order.

        Raises:
            ProtocolViolation: the child answers what it cannot have read.
        """
        data = b"".join(lines)
        self._count(len(lines), len(data))
        if not self._unwritten:  # as a rule the pipe has room, and no other task need wake up
            data = data[self._process.write_nowait(data) :]
        if not data:
            return
        try:
            self._outbox.send_nowait(data)
        except trio.WouldBlock:  # two writes are waiting
            raise ProtocolViolation("the child answers messages that it has not read") from None
        self._unwritten += 1

    def note_sent(self, message: Message) -> None:
        """Take note of a message that whoever launched the child has written; `receive` its reply."""
        self._count(1, len(self.encode(message)))

    def _count(self, messages: int, size: int) -> None:
        self.messages += 2 * messages
        self.bytes_sent += size
        self._sent_at = trio.current_time()

    async def write(self) -> None:
        """Write what did not fit into the pipe at once, until cancelled.

        A task of its own: a child that answers before it has read everything must not find us deaf.
        """
        # A child that stopped reading is found out by the end of its stdout, which says why.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._written:
                await self._process.stdin.send_all(data)
                self._unwritten -= 1

    async def receive(self) -> Result | Failure:
        """Wait for the next reply; errors as `exchange`."""
        began = trio.current_time()
        deadline, glance_at = began + self.patience.answer_seconds, began + _GLANCE_SECONDS
        while True:
            try:
                event = self._connection.next_event()
            except RemoteProtocolError as error:
                raise ProtocolViolation(f"the child broke the protocol: {error}") from error
            if isinstance(event, ConnectionClosed):
                raise ChildGone
            if event is not None:
                self.answered_in_seconds = trio.current_time() - self._sent_at
                return self._decode(event)
            late = trio.current_time() - glance_at
            if late >= 0:  # also while bytes drip in
                deadline += late  # the host's own lateness is not the child's
                self._glance(deadline)
                glance_at = trio.current_time() + _GLANCE_SECONDS
            with trio.move_on_at(glance_at):
                self._take(await self._process.read())

    def _take(self, data: bytes) -> None:
        self.bytes_received += len(data)
        most = self.patience.received_bytes
        if self.bytes_received > most:
            raise OutputExceeded(f"the child said more than {most} bytes and was killed")
        self._connection.receive_data(data)

    def _glance(self, deadline: float) -> None:
        patience = self.patience
        if self._process.resident_bytes() > patience.resident_bytes:
            most = patience.resident_bytes
            raise MemoryExceeded(f"the child took more than {most} bytes of memory and was killed")
        if trio.current_time() >= deadline:
            limit = patience.answer_seconds
            raise ChildSilent(f"the child did not answer in {limit:g} s and was killed")

    def _decode(self, reply: Result | Failure) -> Result | Failure:
        method = self._waiting.popleft()
        if isinstance(reply, Failure):
            _require_contract(method, reply)
            return reply
        try:
            return reply._replace(result=codec.result(method, reply.result))
        except ErrorReply as refusal:
            raise ProtocolViolation(
                f"the child's answer to {method} is not in the contract: {refusal.message}"
            ) from None

    def set_max_message_bytes(self, value: int) -> None:
        """Use the effective limit that `initialize` reported."""
        self._connection.max_message_bytes = value


def _require_contract(method: str, failure: Failure) -> None:
    # jsonschema takes a tenth of a second to import, and a hundred times as long as `codec`, which a parity
    # test holds equal to it for results. Only a run that failed waits for it, once.
    from flowcage.schemas.validate import error_error

    violation = error_error(_error_object(failure))
    if violation is not None:
        where = violation.path or "error"
        raise ProtocolViolation(
            f"the child's answer to {method} is not in the contract: {where}: {violation.message}"
        )


def _error_object(reply: Failure) -> dict[str, Any]:
    return {"code": reply.code, "message": reply.message, "data": reply.data}
