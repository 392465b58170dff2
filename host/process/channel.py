"""Messages to and from one child: the sans-IO connection over its pipes, each held to the contract."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import trio

from flowcage.host.outcome.errors import ChildSilent, MemoryExceeded, ProtocolViolation, RunError
from flowcage.host.process import codec
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.replies import Replies
from flowcage.host.process.step_clock import Reading, StepClock
from flowcage.protocol import encode
from flowcage.protocol.connection import ConnectionClosed, HostConnection
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply, LocalProtocolError, RemoteProtocolError
from flowcage.protocol.limits import MIB, STEP_WALL_FACTOR, Limits
from flowcage.protocol.messages import Drained, Message

# How often a child that is taking its time is looked at.
_GLANCE_SECONDS = 0.1


class Patience(NamedTuple):
    """What a child may take before it is given up. Before `initialize` is answered it has yet to start.

    Attributes:
        cpu_seconds: of the child's CPU for one reply.
        wall_seconds: of the host's clock for one reply.
        resident_bytes: of memory (RSS).
    """

    cpu_seconds: float = 30.0
    wall_seconds: float = 30.0
    resident_bytes: int = 512 * MIB

    def for_steps(self, limits: Limits, grace_seconds: float) -> Patience:
        """The same with the time that a step may take, and some more: an honest child ends it by itself."""
        step_seconds = limits.step_timeout_ms / 1000
        return self._replace(
            cpu_seconds=step_seconds + grace_seconds,
            wall_seconds=STEP_WALL_FACTOR * step_seconds + grace_seconds,
        )


class ChildGone(RunError):
    """The child closed its stdout or stopped reading; how it ended is for `process` to find out."""


class Channel:
    """One conversation. Only one task talks on it: replies come in the order of the requests.

    Args:
        allowance: charged for what the child says, and asked about while it is waited for.
    """

    def __init__(self, process: ChildProcess, allowance: Allowance) -> None:
        self._process = process
        self._allowance = allowance
        self._connection = HostConnection()
        self._replies = Replies()
        self._unwritten = 0
        # One exchange at a time, so the queue never holds more than one write.
        self._outbox, self._written = trio.open_memory_channel[bytes](1)
        self.patience = Patience()
        self.step = StepClock(process.cpu_seconds)
        self.messages = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def encode(self, message: Message) -> bytes:
        """Check a message against the contract and encode it, to be sent by `send`.

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
        self._replies.expect(message)
        return line

    @property
    def outstanding(self) -> int:
        """Requests that the child has handed out and that no resolve has settled."""
        return self._replies.outstanding

    async def request(self, message: Message) -> object:
        """Send one message and wait for its result; errors as `receive`."""
        self.send([self.encode(message)])
        return await self.receive()

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
        self.step.sent()

    async def write(self) -> None:
        """Write what did not fit into the pipe at once, until cancelled.

        A task of its own: a child that answers before it has read everything must not find us deaf.
        """
        # A child that stopped reading is found out by the end of its stdout, which says why.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._written:
                await self._process.stdin.send_all(data)
                self._unwritten -= 1

    async def receive(self) -> object:
        """Wait for the next reply, and return its decoded result.

        Raises:
            WorkflowFailed, IsolationUnavailable, RunRefused: the reply was an error.
            ProtocolViolation: it is none that the child may give.
            ChildGone: the child ended first.
            ChildSilent, MemoryExceeded: it took more than it may.
            CpuExceeded, OutputExceeded: all children of the run together did.
        """
        event = self._next_event() or await self._wait_for_event()
        if isinstance(event, Failure):
            self.step.answered(more=False)
        result = self._replies.take(event)
        if isinstance(result, Drained) and result.more:
            self.step.answered(more=True)
        return result

    def _next_event(self) -> Result | Failure | None:
        try:
            event = self._connection.next_event()
        except RemoteProtocolError as error:
            raise ProtocolViolation(f"the child broke the protocol: {error}") from error
        if isinstance(event, ConnectionClosed):
            raise ChildGone
        return event

    async def _wait_for_event(self) -> Result | Failure:
        began = self.step.read()
        glance_at = began.wall + _GLANCE_SECONDS
        while (event := self._next_event()) is None:
            late = trio.current_time() - glance_at
            if late >= 0:  # also while bytes drip in
                began = began._replace(wall=began.wall + late)  # the host's own lateness is not the child's
                self._glance(began)
                glance_at = trio.current_time() + _GLANCE_SECONDS
            with trio.move_on_at(glance_at):
                self._take(await self._process.read())
        return event

    def _take(self, data: bytes) -> None:
        self.bytes_received += len(data)
        self._allowance.receive(len(data))
        self._connection.receive_data(data)

    def _glance(self, began: Reading) -> None:
        self._allowance.require()
        patience, passed = self.patience, self.step.since(began)
        if self._process.resident_bytes() > patience.resident_bytes:
            most = patience.resident_bytes
            raise MemoryExceeded(f"the child took more than {most} bytes of memory and was killed")
        if passed.cpu >= patience.cpu_seconds:
            limit = patience.cpu_seconds
            raise ChildSilent(f"the child did not answer in {limit:g} s of CPU and was killed")
        if passed.wall >= patience.wall_seconds:
            raise ChildSilent(f"the child did not answer in {patience.wall_seconds:g} s and was killed")

    def set_max_message_bytes(self, value: int) -> None:
        """Use the effective limit that `initialize` reported."""
        self._connection.max_message_bytes = value
