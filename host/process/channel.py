"""Messages to and from one child: `protocol.connection`, which has no I/O, over the child's pipes.

`Child` makes a channel for each process. One task holds the conversation and calls `receive`; a second one
runs `write`. No other may call these. Any task may call `encode` and `send` for the conversation; they do not
wait. Replies come in the order of the messages, and `receive` returns the next one to whoever calls it.

The channel keeps these invariants:

- What is sent is allowed. `encode` holds the message to the contract (`typed` by how it is made, the decoder
  for what is not usual) and to the table of states, and only then registers the reply that is expected.
  Registered first, a message that is refused would leave an expectation behind, and every later reply would
  be read as the answer to the message before it.
- Bytes leave in the order of `send`. While an earlier write waits in the outbox, a later one must join it: a
  direct write would put half a line in front of the rest of another.
- Reading never waits for writing. A child that answers before it has read everything fills its stdout while
  the host fills its stdin; were both sides to write first, neither would read again. So what does not fit
  into the pipe is left to the task in `write`.
- A correct child leaves at most one write in the outbox, since the host sends again only when all replies to
  the last write have come. A child for which a third is due answers what it cannot have read.
- Nothing is parsed that is not charged: `Allowance.receive` is called before the bytes reach the parser.
- A step is timed from before its write. Read afterwards, the child's CPU clock could have run already, and a
  timeout that the child reports truly would look like a lie (see step_clock.py).
- Reading has no timeout. `Glances` ends a wait that is too long; `is_due` and `answered` tell it of the wait.

An exception from `receive` ends the conversation; `Child.run` then decides whether the child is killed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import trio

from flowcage.host.outcome.errors import ProtocolViolation, RunError
from flowcage.host.process import codec
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.glances import Patience
from flowcage.host.process.replies import Replies
from flowcage.host.process.step_clock import StepClock
from flowcage.protocol import encode
from flowcage.protocol.connection import ConnectionClosed, HostConnection
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply, LocalProtocolError, RemoteProtocolError
from flowcage.protocol.messages import Drained, Message


class ChildGone(RunError):
    """The child closed its stdout or has ended. `Child.run` replaces this by the error that says how."""


class Channel:
    """One conversation, held by one task.

    Args:
        process: the child, with its pipes open.
        allowance: of the run; charged for the bytes that the child sends.

    Attributes:
        patience: what the child may use for one reply; set anew once the limits of the run are agreed.
        step: times the steps, for the verdict.
        messages: sent and answered, two for each.
        answered: replies that have come.
        bytes_sent, bytes_received: on the child's stdin and stdout.
    """

    def __init__(self, process: ChildProcess, allowance: Allowance) -> None:
        self._process = process
        self._allowance = allowance
        self._connection = HostConnection(read_typed=codec.read_typed)
        self._replies = Replies()
        self._unwritten = 0
        # One write may wait here while `write` is at another: its task may not have run yet since it ended.
        self._outbox, self._written = trio.open_memory_channel[bytes](1)
        self.patience = Patience()
        self.step = StepClock(process.cpu_seconds)
        self.messages = 0
        self.answered = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def encode(self, message: Message) -> bytes:
        """Check a message against the contract and encode it, to be sent by `send`.

        Lines must be sent in the order in which they were encoded: that is the order of the expected replies.

        Raises:
            LocalProtocolError: the contract does not allow it.
            TypeError, ValueError: a value in it that JSON cannot hold.
        """
        written = codec.written(message)
        line = self._connection.send(message, _checked(message) if written is None else written)
        self._replies.expect(message)
        return line

    @property
    def outstanding(self) -> int:
        """Requests that the child has handed out and that no resolve has settled."""
        return self._replies.outstanding

    @property
    def is_due(self) -> bool:
        """Whether a reply is to come."""
        return 2 * self.answered < self.messages

    async def request(self, message: Message) -> object:
        """Send one message and wait for its result; errors as `receive`."""
        self.send([self.encode(message)])
        return await self.receive()

    def send(self, lines: list[bytes]) -> None:
        """Send encoded messages in one write; `receive` their replies in the same order.

        Raises:
            ProtocolViolation: the child has answered messages that it cannot have read.
        """
        data = b"".join(lines)
        self._count(len(lines), len(data))
        if not self._unwritten:  # the pipe usually has room, which saves a switch to the other task
            data = data[self._process.write_nowait(data) :]
        if not data:
            return
        try:
            self._outbox.send_nowait(data)
        except trio.WouldBlock:  # two writes are unfinished, and the replies to both have been received
            raise ProtocolViolation("the child answered messages that it has not read") from None
        self._unwritten += 1

    def note_sent(self, message: Message) -> None:
        """Count a message that the launcher has written (`Spawned.initialize`), and expect its reply."""
        self._count(1, len(self.encode(message)))

    def _count(self, messages: int, size: int) -> None:
        self.messages += 2 * messages
        self.bytes_sent += size
        self.step.sent()

    async def write(self) -> None:
        """Write what did not fit into the pipe at once, until cancelled; run it as a task of its own."""
        # Who has closed stdin has ended or will: `receive` sees that at the end of stdout, and can say why.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._written:
                await self._process.stdin.send_all(data)
                self._unwritten -= 1

    async def receive(self) -> object:
        """Wait for the next reply, and return its decoded result.

        Raises:
            WorkflowFailed, IsolationUnavailable, RunRefused: the reply was an error.
            ProtocolViolation: the reply is not in the contract, or cannot be true.
            ChildGone: the child ended first.
            CpuExceeded, OutputExceeded: all children of the run together exceeded their allowance.
        """
        while (event := self._next_event()) is None:
            self._take(await self._process.read())
        self.answered += 1
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
            raise ProtocolViolation(str(error)) from error  # the class and the verdict say whose fault it is
        if isinstance(event, ConnectionClosed):
            raise ChildGone
        return event

    def _take(self, data: bytes) -> None:
        self.bytes_received += len(data)
        self._allowance.receive(len(data))
        self._connection.receive_data(data)

    def set_max_message_bytes(self, value: int) -> None:
        """Hold the child's lines to the effective limit that `initialize` reported, in bytes."""
        self._connection.max_message_bytes = value


def _checked(message: Message) -> dict[str, Any]:
    method, params = encode.method(message), encode.params(message)
    try:
        codec.message(method, params)
    except ErrorReply as refusal:
        raise LocalProtocolError(f"{method}: {refusal.message}") from None
    return params
