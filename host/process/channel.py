"""Messages to and from one child: `protocol.connection`, which has no I/O, over the child's pipes.

`Child` makes a channel for each process. One task holds the conversation and calls `receive`; no other may.
Any task may call `encode` and `send` for the conversation; they do not wait. Replies come in the order of the
messages, and `receive` returns the next one.

The channel keeps these invariants:

- What is sent is allowed. `encode` holds the message to the contract (`typed` by how it is made, the decoder
  for what is not usual) and to the table of states, and only then registers the reply that is expected.
  Registered first, a message that is refused would leave an expectation behind, and every later reply would
  be read as the answer to the message before it.
- Bytes leave in the order of `send`. While the rest of an earlier write waits in the outbox, a later one must
  join it: a direct write would put half a line in front of the rest of another.
- Reading never waits for writing. A child that answers before it has read everything fills its stdout while
  the host fills its stdin; were both sides to write first, neither would read again. So what does not fit
  into the pipe at once is left to a task, which is started only then.
- A correct child leaves at most one write in the outbox, since the host sends again only when all replies to
  the last write have come; its task may not have run yet since that was taken, so there may be two. A child
  for which a third is due answers what it cannot have read.
- Nothing is parsed that is not charged: `Allowance.receive` is called before the bytes reach the parser.
- A step is timed from before its write. Read afterwards, the child's CPU clock could have run already, and a
  timeout that the child reports truly would look like a lie (see step_clock.py).
- Reading has no timeout. `Glances` ends a wait that is too long; `is_due` and `answered` tell it of the wait.

An exception from `receive` ends the conversation; `Child.run` then decides whether the child is killed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from flowcage.host.outcome.errors import ProtocolViolation
from flowcage.host.process import codec
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.child_process import ChildGone, ChildProcess
from flowcage.host.process.glances import Patience
from flowcage.host.process.replies import Replies
from flowcage.host.process.step_clock import StepClock
from flowcage.protocol import encode
from flowcage.protocol.connection import ConnectionClosed, HostConnection
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply, LocalProtocolError, RemoteProtocolError
from flowcage.protocol.messages import Drained, Initialized, Message

# Writes of which the child has not taken everything.
_UNWRITTEN_AT_MOST = 2


class Channel:
    """One conversation, held by one task.

    Args:
        process: the child, with its pipes open.
        allowance: of the run; charged for the bytes that the child sends.

    Attributes:
        start_soon: starts a task of the conversation.
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
        self._outbox: deque[bytes] = deque()
        self.start_soon: Callable[..., object] | None = None
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
        params = codec.written(message)
        line = self._connection.send(message, _checked(message) if params is None else params)
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

    @property
    def is_writing(self) -> bool:
        """Whether something is left to write."""
        return bool(self._outbox)

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
        if not self._outbox:  # the pipe usually has room, which saves a task
            data = data[self._process.write_nowait(data) :]
        if data:
            self._write_later(data)

    def note_sent(self, message: Message, said: bytes) -> None:
        """Expect the reply to a message that the launcher has written (`Spawned.initialize`).

        Args:
            message: the first one.
            said: what the launcher has read since.
        """
        self._count(1, len(self.encode(message)))
        if said:
            self._take(said)

    def resume(self, initialized: Initialized, sent_bytes: int, said_bytes: int) -> None:
        """Go on after a first message that the launcher has sent, and whose answer it has read and judged."""
        self._connection.resume(initialized.protocol_version, initialized.max_message_bytes)
        self.messages += 2
        self.answered += 1
        self.bytes_sent += sent_bytes
        self.bytes_received += said_bytes
        self._allowance.receive(said_bytes)

    def _count(self, messages: int, size: int) -> None:
        self.messages += 2 * messages
        self.bytes_sent += size
        self.step.sent()

    def _write_later(self, data: bytes) -> None:
        if len(self._outbox) == _UNWRITTEN_AT_MOST:
            raise ProtocolViolation("the child answered messages that it has not read")
        self._outbox.append(data)
        if len(self._outbox) == 1:
            assert self.start_soon is not None
            self.start_soon(self._write)

    async def _write(self) -> None:
        # Who has closed stdin has ended or will: `receive` sees that at the end of stdout, and can say why.
        while self._outbox:
            await self._process.write(self._outbox[0])
            self._outbox.popleft()

    async def receive(self) -> object:
        """Wait for the next reply, and return its decoded result.

        Raises:
            WorkflowFailed, IsolationUnavailable, RunRefused: the reply was an error.
            ProtocolViolation: the reply is not in the contract, or cannot be true.
            ChildGone: the child ended first.
            CpuExceeded, OutputExceeded: all children of the run together exceeded their allowance.
        """
        event = self._next_event() if self._connection.has_more else None
        while event is None:
            self._take(await self._process.read())
            event = self._next_event()
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
