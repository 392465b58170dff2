"""Every kind of error of the wire contract with its code, and the exceptions of this room.

Codes below -32099 are JSON-RPC 2.0's own (https://www.jsonrpc.org/specification#error_object);
-32000 to -32099 are flowcage's. The code follows from the kind; programs branch on ``data.kind``.
"""

from __future__ import annotations

from flowcage._hints import Any

PARSE_ERROR = "parse_error"
INVALID_REQUEST = "invalid_request"
METHOD_NOT_FOUND = "method_not_found"
INVALID_PARAMS = "invalid_params"
INTERNAL = "internal"

# The run has failed, by what the workflow did. It is final: every further message that runs it repeats the
# error.
EXCEPTION = "exception"
SYNTAX = "syntax"
IMPORT = "import"
MISSING_DEFAULT = "missing_default"
TIMEOUT = "timeout"
MEMORY = "memory"
STACK = "stack"
SERIALIZATION = "serialization"
LIMIT = "limit"

# The message was not carried out; the run is as it was before.
UNKNOWN_REQUEST = "unknown_request"
INVALID_STATE = "invalid_state"
MESSAGE_TOO_LARGE = "message_too_large"
ISOLATION_UNAVAILABLE = "isolation_unavailable"
PROTOCOL_VERSION = "protocol_version"

CODES: dict[str, int] = {
    PARSE_ERROR: -32700,
    INVALID_REQUEST: -32600,
    METHOD_NOT_FOUND: -32601,
    INVALID_PARAMS: -32602,
    INTERNAL: -32603,
    EXCEPTION: -32000,
    SYNTAX: -32001,
    IMPORT: -32002,
    MISSING_DEFAULT: -32003,
    TIMEOUT: -32004,
    MEMORY: -32005,
    STACK: -32006,
    SERIALIZATION: -32007,
    LIMIT: -32008,
    UNKNOWN_REQUEST: -32020,
    INVALID_STATE: -32021,
    MESSAGE_TOO_LARGE: -32022,
    ISOLATION_UNAVAILABLE: -32023,
    PROTOCOL_VERSION: -32024,
}

RUN_FAILURES = frozenset(
    {EXCEPTION, SYNTAX, IMPORT, MISSING_DEFAULT, TIMEOUT, MEMORY, STACK, SERIALIZATION, LIMIT}
)


class ErrorReply(Exception):
    """A JSON-RPC error object: the answer to a message that was not carried out.

    Args:
        kind: a key of `CODES`, which has the numeric code.
        message: one sentence for a person.
        data: further members of the error's ``data``; ``kind`` is added.
    """

    def __init__(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = CODES[kind]
        self.message = message
        self.data: dict[str, Any] = {"kind": kind, **(data or {})}


def run_failure(kind: str, name: str, message: str, **more: Any) -> ErrorReply:
    """A failure of the run without a thrown error, in the same shape as one with it.

    Args:
        kind: one of `RUN_FAILURES`.
        name: the name of the error that JavaScript would throw, such as ``RangeError``.
        message: one sentence for a person.
        more: further members of ``data``.
    """
    return ErrorReply(kind, message, {"name": name, "message": message, "stack": "", **more})


class ProtocolError(Exception):
    """The wire contract was broken; the two subclasses tell by which side."""


class LocalProtocolError(ProtocolError):
    """A message was to be sent that the contract does not allow now: a bug of this side."""


class RemoteProtocolError(ProtocolError):
    """The peer has sent what the contract does not allow. The connection is of no further use."""
