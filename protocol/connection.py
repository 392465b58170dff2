"""Both ends of the wire without any I/O, after h11: bytes in, events out; messages in, bytes out."""

from __future__ import annotations

import re
from collections import deque
from io import BytesIO
from typing import Any, NamedTuple, TypeAlias

from flowcage.protocol import decode, encode, envelope, strictjson
from flowcage.protocol.envelope import Failure, Incoming, Refused, Result
from flowcage.protocol.errors import (
    INVALID_STATE,
    MESSAGE_TOO_LARGE,
    RUN_FAILURES,
    ErrorReply,
    LocalProtocolError,
    RemoteProtocolError,
)
from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES, Line, LineReader, TooLong
from flowcage.protocol.messages import Initialize, Message, RequestId
from flowcage.protocol.state import CLOSED, FAILED, NEW, ON_FAILURE, READY, TRANSITIONS, why_not

_LONG_INTEGER = re.compile(rb"[0-9]{%d}" % strictjson.MAX_INTEGER_DIGITS)


class Received(NamedTuple):
    """A request that the child may carry out now, or a notification (`id` None)."""

    id: RequestId | None
    message: Message


class ConnectionClosed(NamedTuple):
    """The peer closed its side; `truncated` bytes of an unfinished line are lost."""

    truncated: int = 0


ChildEvent: TypeAlias = Received | Refused | ConnectionClosed
HostEvent: TypeAlias = Result | Failure | ConnectionClosed


class _Endpoint:
    """Lines in, in order, with the end of the stream as the last of them."""

    def __init__(self, max_message_bytes: int) -> None:
        self.state = NEW
        self.version: str | None = None  # that both sides speak, once `initialize` was answered
        self._reader = LineReader(max_message_bytes)
        # At most one line each: a message may change the cap for the lines that came with it.
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
        """Take bytes as they come from the peer; empty means that it closed its side."""
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
    """The child's end: requests come in, replies go out."""

    def __init__(self, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        super().__init__(max_message_bytes)

    def next_event(self) -> ChildEvent | None:
        """The next message to carry out or refuse; None when more bytes are needed."""
        while (line := self._next_line()) is not None:
            if isinstance(line, ConnectionClosed):
                return line
            event = self._event(line)
            if event is not None:
                return event
        return None

    def _event(self, line: Line | TooLong) -> ChildEvent | None:
        if isinstance(line, TooLong):
            message = f"a line may have {line.limit} bytes at most"
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
        """Move on in the state table: `message` was done, or ended the run."""
        if isinstance(message, Initialize) and not failed:
            self.version = message.protocol_version
        self._advance(encode.method(message), failed)


class HostConnection(_Endpoint):
    """The host's end: requests go out, replies come in, in the same order."""

    def __init__(self, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        super().__init__(max_message_bytes)
        self._next_id = 1
        self._unanswered: deque[tuple[int, str]] = deque()
        self._asked_version = ""

    def send(self, message: Message) -> bytes:
        """Encode a request. Requests may be pipelined: the state moves as if each will succeed.

        Raises:
            LocalProtocolError: the state table does not allow it, or the peer would refuse the line.
            TypeError, ValueError: a value in it that JSON cannot hold.
        """
        method = encode.method(message)
        if (reason := why_not(self.state, method)) is not None:
            raise LocalProtocolError(reason)
        line = envelope.request(self._next_id, method, encode.params(message))
        if len(line) > self.max_message_bytes + 1:
            raise LocalProtocolError(
                f"{method} takes {len(line)} bytes; a line may have {self.max_message_bytes}"
            )
        try:
            strictjson.check_structure(line)
            if _LONG_INTEGER.search(line):  # a long integer, or a string with one in it
                strictjson.loads(line)
        except ValueError as error:
            raise LocalProtocolError(f"{method}: {error}") from None
        self._advance(method)
        if isinstance(message, Initialize):
            self._asked_version = message.protocol_version
        self._unanswered.append((self._next_id, method))
        self._next_id += 1
        return line

    def next_event(self) -> HostEvent | None:
        """The next reply; None when more bytes are needed.

        Raises:
            RemoteProtocolError: the child broke the contract and must not be believed any more.
        """
        line = self._next_line()
        if line is None:
            if self._reader.is_skipping:  # the rest of such a line may never come
                raise RemoteProtocolError(f"the child sent over {self.max_message_bytes} bytes on one line")
            return None
        if isinstance(line, ConnectionClosed):
            return line
        if isinstance(line, TooLong):
            raise RemoteProtocolError(f"the child sent over {line.limit} bytes on one line")
        return self._match(envelope.parse_reply(line.data))

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
        """`send` moved the state as if the message would succeed; this is where it stands instead."""
        if self.state == CLOSED:
            return
        if method == "initialize":
            self.state = NEW
        elif self.state != NEW and failure.data["kind"] in RUN_FAILURES and method != "check":
            self.state = FAILED
        elif self.state != NEW and method == "start":
            self.state = READY
