"""Both ends of the wire without I/O, after h11: bytes in, events out; messages in, bytes out.

`ChildConnection` is used by the child's session, `HostConnection` by the host's channel and by tests. The
caller reads and writes the bytes; a connection has a buffer of lines, the state of `state.TRANSITIONS`, and
the agreed version.

The child's end: `receive_data`, then `next_event` until it returns None. Each event is carried out, and
`carried_out` called, before the next `next_event`. The order matters twice: `next_event` judges a message by
the state that `carried_out` has moved (`test_the_child_judges_a_pipelined_message_when_its_turn_comes`), and
`initialize` changes the longest line for those that came in the same read, which is why lines are fed to the
reader one at a time (`test_a_message_that_changes_the_cap_changes_it_for_the_lines_that_came_with_it`). A
line that is refused changes no state, and a notification is never answered.

The host's end: `send` returns the bytes of a message and moves the state as if the child will carry it out,
so that messages can be pipelined. A reply belongs to the oldest unanswered request, and must have its id
(`test_the_host_matches_pipelined_replies_in_order`). An error reply rolls the state back to where the child
stands: `_roll_back`. After `shutdown` was sent there is no way back
(`test_a_shutdown_that_is_under_way_is_not_undone_by_a_failed_start`).

Invariants:

- What the child would refuse is not sent: `send` checks state, length, structure and numbers before it
  changes anything, and raises `LocalProtocolError`, which is a bug of the host.
- What breaks the contract raises `RemoteProtocolError`, after which the connection must not be used any more.
  Which results and errors can be true is judged above, by the tables of `replies`.
- Memory is bounded: `LineReader` keeps no more than one line of `max_message_bytes`, and `strictjson` refuses
  a text with too much structure before it is parsed.
- The end of the stream is the last event: complete lines before it come first
  (`test_the_host_reads_complete_replies_before_the_end`,
  `test_the_child_hears_out_complete_lines_before_the_end`).
- The agreed version is kept here: a child's answer with another version than was asked for is an error.
"""

import re
from collections import deque
from collections.abc import Callable
from io import BytesIO

from flowcage._hints import Any, NamedTuple, TypeAlias
from flowcage.protocol import decode, encode, envelope, strictjson
from flowcage.protocol.envelope import Failure, Incoming, Line, LineReader, Refused, Result, TooLong
from flowcage.protocol.errors import (
    INVALID_STATE,
    MESSAGE_TOO_LARGE,
    RUN_FAILURES,
    ErrorReply,
    LocalProtocolError,
    RemoteProtocolError,
)
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.messages import Initialize, Message, RequestId
from flowcage.protocol.state import BEFORE_A_RUN, CLOSED, FAILED, NEW, ON_FAILURE, READY, TRANSITIONS, why_not

_LONG_INTEGER = re.compile(rb"[0-9]{%d}" % strictjson.MAX_INTEGER_DIGITS)


# Reads a line, given the id and the method of the message that it should answer: the result, as a value of
# the protocol's, or None where the line is to be read the usual way. Not for `initialize`.
ReadTyped: TypeAlias = Callable[[bytes, int, str], Any]


class Received(NamedTuple):
    """A message that the child may carry out now; `id` is None for a notification."""

    id: RequestId | None
    message: Message


class ConnectionClosed(NamedTuple):
    """The peer has closed its side; `truncated` is the size of an unfinished line, in bytes."""

    truncated: int = 0


ChildEvent: TypeAlias = Received | Refused | ConnectionClosed
HostEvent: TypeAlias = Result | Failure | ConnectionClosed


class _Endpoint:
    """What both ends share: lines in their order, with the end of the stream behind them, and the state."""

    def __init__(self, max_message_bytes: int) -> None:
        self.state = NEW
        self.version: str | None = None  # the agreed one; None until `initialize` was answered
        self._reader = LineReader(max_message_bytes)
        # Each with one line at most: a message may change `max_message_bytes` for the lines behind it.
        self._pieces: deque[bytes] = deque()
        self._ended = False

    @property
    def max_message_bytes(self) -> int:
        """Longest line accepted, in bytes; `initialize` may change it."""
        return self._reader.max_bytes

    @max_message_bytes.setter
    def max_message_bytes(self, value: int) -> None:
        self._reader.max_bytes = value

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes from the peer; empty at the end of the stream."""
        self._pieces.extend(BytesIO(data))
        self._ended = not data

    def _next_line(self) -> Line | TooLong | ConnectionClosed | None:
        while self._pieces:
            if lines := self._reader.feed(self._pieces.popleft()):
                return lines[0]
        if not self._ended:
            return None
        self._ended = False
        truncated = self._reader.finish()
        return ConnectionClosed(truncated.size if truncated else 0)

    def _advance(self, method: str, failed: bool = False) -> None:
        step = (self.state, method)
        self.state = ON_FAILURE.get(step, self.state) if failed else TRANSITIONS[step]


class ChildConnection(_Endpoint):
    """The child's end: requests come in. Replies are encoded by `envelope`."""

    def __init__(self, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        super().__init__(max_message_bytes)

    def next_event(self) -> ChildEvent | None:
        """The next message to carry out or to refuse; None where more bytes are needed.

        Call it only after the event before was carried out and `carried_out` called.
        """
        while (line := self._next_line()) is not None:
            if isinstance(line, ConnectionClosed):
                return line
            event = self._event(line)
            if event is not None:
                return event
        return None

    def _event(self, line: Line | TooLong) -> ChildEvent | None:
        if isinstance(line, TooLong):
            message = f"the line is longer than maxMessageBytes ({line.limit})"
            return Refused(None, ErrorReply(MESSAGE_TOO_LARGE, message, {"limit": line.limit}))
        incoming = envelope.parse_request(line.data)
        if isinstance(incoming, Refused):
            return incoming
        try:
            return self._received(incoming)
        except ErrorReply as error:
            return None if incoming.id is None else Refused(incoming.id, error)

    def _received(self, incoming: Incoming) -> Received:
        message = decode.message(incoming.method, incoming.params)
        if (reason := why_not(self.state, incoming.method)) is not None:
            raise ErrorReply(INVALID_STATE, reason, {"state": self.state})
        return Received(incoming.id, message)

    def carried_out(self, message: Message, *, failed: bool = False) -> None:
        """Move the state: `message` was carried out, or (`failed`) was answered with an error."""
        if isinstance(message, Initialize) and not failed:
            self.version = message.protocol_version
        self._advance(encode.method(message), failed)

    def may_pass_by(self, method: str) -> bool:
        """Whether a whole line with this method may be carried out now without `receive_data`.

        It may where the state table allows the method, and nothing of another line has come before.
        """
        return (self.state, method) in TRANSITIONS and not self._pieces and self._reader.is_between_lines

    def passed_by(self, method: str, *, failed: bool) -> None:
        """As `carried_out`, for a line that `may_pass_by` has allowed."""
        self._advance(method, failed)


class HostConnection(_Endpoint):
    """The host's end: requests go out, replies come in, in the same order.

    Args:
        max_message_bytes: longest line accepted.
        read_typed: a quicker reader of some results, with the same values.
    """

    def __init__(
        self, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES, read_typed: ReadTyped | None = None
    ) -> None:
        super().__init__(max_message_bytes)
        self._read_typed = read_typed
        self._next_id = 1
        self._unanswered: deque[tuple[int, str]] = deque()
        self._asked_version = ""

    def send(self, message: Message, params: dict[str, Any] | bytes | None = None) -> bytes:
        """Encode a request as the bytes to write. The state moves as if the child will carry it out.

        Args:
            message: what is asked.
            params: its params as `encode.params` gives them, from a caller that has them already; or the
                same as a line of JSON, from one that has checked structure and numbers.

        Raises:
            LocalProtocolError: the state table does not allow it, or the child would refuse the line.
            TypeError, ValueError: JSON cannot hold a value of the message.
        """
        method = encode.method(message)
        if (reason := why_not(self.state, method)) is not None:
            raise LocalProtocolError(reason)
        if isinstance(params, bytes):
            line = envelope.request_of_text(self._next_id, method, params)
        else:
            params = encode.params(message) if params is None else params
            line = envelope.request(self._next_id, method, params)
        if len(line) > self._reader.max_bytes + 1:
            raise LocalProtocolError(
                f"{method} takes {len(line)} bytes; a line may have {self.max_message_bytes}"
            )
        if not isinstance(params, bytes):
            _require_readable(line, method)
        self._advance(method)
        if isinstance(message, Initialize):
            self._asked_version = message.protocol_version
        self._unanswered.append((self._next_id, method))
        self._next_id += 1
        return line

    def resume(self, version: str, max_message_bytes: int) -> None:
        """Go on in a conversation of which `initialize` was sent and answered elsewhere."""
        self.state = TRANSITIONS[NEW, "initialize"]
        self.version = self._asked_version = version
        self.max_message_bytes = max_message_bytes
        self._next_id = 2

    @property
    def has_more(self) -> bool:
        return bool(self._pieces) or self._ended  # else `next_event` finds nothing

    def next_event(self) -> HostEvent | None:
        """The next reply, or the end; None where more bytes are needed.

        Raises:
            RemoteProtocolError: the child has broken the contract. The connection is of no further use.
        """
        line = self._next_line() if self.has_more else None
        if line is None:
            if self._reader.is_skipping:  # at once: the rest of the line may never come
                raise RemoteProtocolError(f"the child sent over {self.max_message_bytes} bytes on one line")
            return None
        if isinstance(line, ConnectionClosed):
            return line
        if isinstance(line, TooLong):
            raise RemoteProtocolError(f"the child sent over {line.limit} bytes on one line")
        return self._typed(line.data) or self._match(envelope.parse_reply(line.data))

    def _typed(self, line: bytes) -> Result | None:
        if self._read_typed is None or not self._unanswered:
            return None
        expected, method = self._unanswered[0]
        result = self._read_typed(line, expected, method)
        if result is None:
            return None
        self._unanswered.popleft()
        return Result(expected, result)

    def _match(self, reply: Result | Failure) -> Result | Failure:
        if not self._unanswered:
            raise RemoteProtocolError("the child replied to nothing")
        expected, method = self._unanswered.popleft()
        if type(reply.id) is not int or reply.id != expected:
            raise RemoteProtocolError(f"the child replied to {str(reply.id)[:40]!r} instead of {expected}")
        if isinstance(reply, Failure):
            self._roll_back(method, reply)
        elif method == "initialize":
            self._set_version(reply.result)
        return reply

    def _set_version(self, result: Any) -> None:
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if isinstance(version, str) and version != self._asked_version:
            raise RemoteProtocolError(
                f"the child answered with version {version[:40]!r} instead of {self._asked_version!r}"
            )
        self.version = self._asked_version

    def _roll_back(self, method: str, failure: Failure) -> None:
        """Correct the state, which `send` has moved as if the message would succeed."""
        if self.state == CLOSED:
            return
        if method == "initialize":
            self.state = NEW
        elif self.state != NEW and failure.data["kind"] in RUN_FAILURES and method not in BEFORE_A_RUN:
            self.state = FAILED
        elif self.state != NEW and method in ("start", "run"):
            self.state = READY


def _require_readable(line: bytes, method: str) -> None:
    try:
        strictjson.check_structure(line)
        if _LONG_INTEGER.search(line):  # perhaps only in a string, so the parser decides
            strictjson.loads(line)
    except ValueError as error:
        raise LocalProtocolError(f"{method}: {error}") from None
