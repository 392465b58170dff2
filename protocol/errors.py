"""Every error code of the wire contract, named once, and the exceptions that carry them.

Codes below -32099 are JSON-RPC 2.0's own (https://www.jsonrpc.org/specification#error_object);
-32000 to -32099 are flowcage's. The number is for JSON-RPC; programs should branch on ``data.kind``.
"""

from __future__ import annotations

from typing import Any

PARSE_ERROR = "parse_error"
INVALID_REQUEST = "invalid_request"
METHOD_NOT_FOUND = "method_not_found"
INVALID_PARAMS = "invalid_params"
INTERNAL = "internal"

# A run that failed: the workflow's own doing, and final.
EXCEPTION = "exception"
SYNTAX = "syntax"
IMPORT = "import"
MISSING_DEFAULT = "missing_default"
TIMEOUT = "timeout"
MEMORY = "memory"
STACK = "stack"
SERIALIZATION = "serialization"
LIMIT = "limit"

# A message the child would not act on; the run is as it was.
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
    """One JSON-RPC error object: what a peer is told when its message was not carried out.

    Args:
        kind: one of the names above; it chooses the numeric code.
        message: one sentence for a person.
        data: further members of the error's ``data``; ``kind`` is added here.
    """

    def __init__(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = CODES[kind]
        self.message = message
        self.data: dict[str, Any] = {"kind": kind, **(data or {})}


def run_failure(kind: str, name: str, message: str, **more: Any) -> ErrorReply:
    """A failure of the run that no JavaScript threw, in the shape of those that it did.

    Args:
        kind: one of `RUN_FAILURES`.
        name: what the error would be called in JavaScript, such as ``RangeError``.
        message: one sentence.
        more: further members of ``data``.
    """
    return ErrorReply(kind, message, {"name": name, "message": message, "stack": "", **more})


class ProtocolError(Exception):
    """Something that the wire contract does not allow; see the two subclasses for whose fault it is."""


class LocalProtocolError(ProtocolError):
    """Our side tried to send what the contract does not allow now. A bug here, not at the peer."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the contract does not allow. The connection is of no further use."""
