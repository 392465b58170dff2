"""Bytes to lines, lines to JSON-RPC 2.0 (https://www.jsonrpc.org/specification), and back.

A line ends at ``\n`` and nowhere else: U+2028, U+0085 and a bare carriage return are content.
"""

from flowcage._hints import Any, NamedTuple
from flowcage.protocol import strictjson
from flowcage.protocol.errors import (
    INVALID_REQUEST,
    MESSAGE_TOO_LARGE,
    PARSE_ERROR,
    ErrorReply,
    RemoteProtocolError,
)
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.messages import RequestId

# ---- lines -----------------------------------------------------------------------------------


class Line(NamedTuple):
    """One complete line, without its newline."""

    data: bytes


class TooLong(NamedTuple):
    """A line over the limit, in place of its bytes, which were dropped as they came."""

    limit: int


class Truncated(NamedTuple):
    """The stream ended inside a line."""

    size: int


class LineReader:
    """Splits a byte stream into lines. It holds one unfinished line at most, of up to `max_bytes`.

    Args:
        max_bytes: longest line accepted, in bytes, the newline not counted.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._held = 0
        self._skipping = False

    @property
    def is_between_lines(self) -> bool:
        """Whether there is no unfinished line."""
        return self._held == 0

    @property
    def is_skipping(self) -> bool:
        """Whether the unfinished line is over the limit already."""
        return self._skipping

    def feed(self, data: bytes) -> list[Line | TooLong]:
        """Take the next bytes of the stream.

        Returns:
            The lines that they complete, in order.
        """
        if not self._held and 0 < len(data) <= self.max_bytes and data.find(b"\n") == len(data) - 1:
            return [Line(data[:-1])]  # nearly always
        found: list[Line | TooLong] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            found.append(self._complete(data[start:end]))
            start = end + 1
        self._hold(data[start:] if start else data)
        return found

    def finish(self) -> Truncated | None:
        """The unfinished line at the end of the stream; None where there is none."""
        if self._held:
            return Truncated(self._held)
        return None

    def _complete(self, tail: bytes) -> Line | TooLong:
        self._hold(tail)
        too_long, line = self._skipping, b"".join(self._chunks)
        self._chunks, self._held, self._skipping = [], 0, False
        return TooLong(self.max_bytes) if too_long else Line(line)

    def _hold(self, data: bytes) -> None:
        self._held += len(data)
        if self._skipping or self._held > self.max_bytes:
            self._chunks, self._skipping = [], True
        elif data:
            self._chunks.append(data)


# ---- envelopes -------------------------------------------------------------------------------


class Incoming(NamedTuple):
    """A request or a notification, with params that were not checked.

    `id` is None for a notification, which is never answered.
    """

    id: RequestId | None
    method: str
    params: Any


class Refused(NamedTuple):
    """A line that is not a request: the error to answer with, and the id to answer under."""

    id: RequestId | None
    error: ErrorReply


class Result(NamedTuple):
    """A reply with a result, which was not checked."""

    id: RequestId
    result: Any


class Failure(NamedTuple):
    """A reply with an error; `id` is None where the child could not read that of the request."""

    id: RequestId | None
    code: int
    message: str
    data: dict[str, Any]


class Answer(NamedTuple):
    """An answer of a peer that is sent requests, too; of `result` and `error`, which were not checked, it may
    have any.
    """

    id: Any
    members: dict[str, Any]


def parse_request(line: bytes) -> Incoming | Refused:
    """Read one line from a host; one that is not a request is returned as `Refused`."""
    value = _object(line)
    return value if isinstance(value, Refused) else _request(value)


def parse_message(line: bytes) -> Incoming | Answer | Refused:
    """Read one line from a peer that sends requests and answers."""
    value = _object(line)
    if isinstance(value, Refused):
        return value
    if "method" not in value and ("result" in value or "error" in value):
        return Answer(value.get("id"), value)
    return _request(value)


def _object(line: bytes) -> dict[str, Any] | Refused:
    try:
        value = strictjson.loads(line)
    except strictjson.StructureError as error:
        return Refused(None, ErrorReply(MESSAGE_TOO_LARGE, str(error)))
    except (ValueError, RecursionError) as error:
        return Refused(None, ErrorReply(PARSE_ERROR, f"not a JSON text: {error}"))
    if isinstance(value, list):
        return Refused(
            None,
            ErrorReply(INVALID_REQUEST, "a batch is not accepted; send each request on a line of its own"),
        )
    if not isinstance(value, dict):
        return Refused(None, ErrorReply(INVALID_REQUEST, "a request must be an object"))
    return value


def _request(value: dict[str, Any]) -> Incoming | Refused:
    identifier = value.get("id")
    if "id" in value and not is_id(identifier):
        return Refused(None, ErrorReply(INVALID_REQUEST, "id must be a string or an integer"))
    if value.get("jsonrpc") != "2.0":
        return Refused(identifier, ErrorReply(INVALID_REQUEST, 'jsonrpc must be "2.0"'))
    method = value.get("method")
    if not isinstance(method, str):
        return Refused(identifier, ErrorReply(INVALID_REQUEST, "method must be a string"))
    return Incoming(identifier, method, value.get("params", {}))


def is_id(value: Any) -> bool:
    """Whether a value may be an id: a string or an integer. JSON's true and 1.0 are not integers."""
    return isinstance(value, str) or type(value) is int


def parse_reply(line: bytes) -> Result | Failure:
    """Read one line from a child.

    Raises:
        RemoteProtocolError: the line is not a JSON-RPC reply.
    """
    try:
        value = strictjson.loads(line)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not a JSON text: {error}") from error
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise RemoteProtocolError("not a JSON-RPC 2.0 object")
    if ("result" in value) == ("error" in value):
        raise RemoteProtocolError("a reply has either a result or an error")
    identifier = value.get("id")
    if "result" in value:
        if identifier is None or not is_id(identifier):
            raise RemoteProtocolError("a result must carry the id of its request")
        return Result(identifier, value["result"])
    if identifier is not None and not is_id(identifier):
        raise RemoteProtocolError("an error must carry the id of its request, or null")
    return _failure(identifier, value["error"])


def _failure(identifier: RequestId | None, error: Any) -> Failure:
    if not isinstance(error, dict):
        raise RemoteProtocolError("error must be an object")
    code, message, data = error.get("code"), error.get("message"), error.get("data")
    if type(code) is not int or not isinstance(message, str) or not isinstance(data, dict):
        raise RemoteProtocolError("error must have an integer code, a message and data")
    if not isinstance(data.get("kind"), str):
        raise RemoteProtocolError("error data must name its kind")
    return Failure(identifier, code, message, data)


def request(identifier: RequestId, method: str, params: dict[str, Any]) -> bytes:
    """Encode a request as one line."""
    return _line({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})


def notification(method: str, params: dict[str, Any]) -> bytes:
    """Encode a notification as one line."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def request_of_text(identifier: int, method: str, params: bytes) -> bytes:
    """The same for params that are a line of JSON."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}\n' % (identifier, method.encode(), params)


def result(identifier: RequestId, result_json: str) -> bytes:
    """Encode a reply as one line.

    Args:
        identifier: the id of the request.
        result_json: the result as JSON text without a raw newline. It is not parsed: that would double the
            cost of a large drain, whose text the sandbox's serializer has written.
    """
    id_text = str(identifier) if type(identifier) is int else strictjson.dumps(identifier)
    head = f'{{"jsonrpc":"2.0","id":{id_text},"result":'
    return f"{head}{result_json}}}\n".encode()


def error(identifier: RequestId | None, reply: ErrorReply) -> bytes:
    """Encode an error reply as one line."""
    body = {"code": reply.code, "message": reply.message, "data": reply.data}
    return _line({"jsonrpc": "2.0", "id": identifier, "error": body})


def _line(value: dict[str, Any]) -> bytes:
    return strictjson.encoded(value) + b"\n"
