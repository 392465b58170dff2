"""Messages from and to JSON: by `typed` or by the protocol's decoder, and on demand by jsonschema, too.

`typed` is several times as fast as the decoder, and leaves to it what is not usual. The decoder is a hundred
times as fast as jsonschema and refuses the same messages; a parity test
(tests/protocol/test_schema_parity.py) compares the two on generated messages. With FLOWCAGE_CHECK_MESSAGES=1
every message that the host sends or receives is put to all that know it, and a difference ends the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flowcage.host.outcome.errors import RunError
from flowcage.host.process import typed
from flowcage.host.process.launch import switches
from flowcage.protocol import decode, encode, envelope, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.messages import Drained, Message

CHECKS_MESSAGES = os.environ.get("FLOWCAGE_CHECK_MESSAGES", "") not in ("", "0")
IS_TYPED = switches.TYPED_CODEC


class SchemaDisagrees(RunError):
    """Two ways to read or write a message, or a published schema, differ about it: a bug of flowcage's."""

    child_alive = True


def message(method: str, params: Any) -> Message:
    """As `decode.message`.

    Raises:
        ErrorReply: the contract does not allow the message.
        SchemaDisagrees: one of decoder and schema allows it, the other does not.
    """
    read = decode.message
    decoded: Message = _compared(read, "params", method, params) if CHECKS_MESSAGES else read(method, params)
    return decoded


def result(method: str, value: Any) -> Any:
    """As `decode.result`; errors as `message`."""
    read = decode.result
    return _compared(read, "result", method, value) if CHECKS_MESSAGES else read(method, value)


def read_typed(line: bytes, identifier: int, method: str) -> Drained | None:
    """As `typed.reply`.

    Raises:
        SchemaDisagrees: the usual way reads another value.
    """
    if not IS_TYPED:
        return None
    found = typed.reply(line, identifier, method)
    if found is None or not CHECKS_MESSAGES:
        return found
    reply = envelope.parse_reply(line)
    if isinstance(reply, envelope.Failure) or repr(decode.result(method, reply.result)) != repr(found):
        raise SchemaDisagrees(f"the result of {method}: the typed decoder reads what the decoder does not")
    return None  # for the schema


def written(message: Message) -> bytes | None:
    """As `typed.params`.

    Raises:
        SchemaDisagrees: the usual way writes other bytes.
    """
    if not IS_TYPED:
        return None
    found = typed.params(message)
    if found is None or not CHECKS_MESSAGES:
        return found
    usual = strictjson.encoded(encode.params(message))
    if found != usual and strictjson.loads(found) != strictjson.loads(usual):  # ASCII may differ
        method = encode.method(message)
        raise SchemaDisagrees(f"the params of {method}: the typed encoder writes what the encoder does not")
    return None


def _compared(read: Callable[[str, Any], Any], part: str, method: str, value: Any) -> Any:
    decoded, refusal = None, None
    try:
        decoded = read(method, value)
    except ErrorReply as error:
        refusal = error
    found = _where(method, part, value)
    place = None if refusal is None else refusal.data["path"]
    if found != place:
        raise SchemaDisagrees(
            f"the {part} of {method}: the decoder {_verdict(place)}, the published schema {_verdict(found)}"
        )
    if refusal is not None:
        raise refusal
    return decoded


def _where(method: str, part: str, value: Any) -> str | None:
    """JSON Pointer to the first violation that jsonschema finds; None if the schema allows the value."""
    from flowcage.schemas import validate  # imports jsonschema, a tenth of a second

    if part == "params":
        violation = validate.params_error(method, value)
    else:  # requests of later versions: the decoder splits them off, the schema refuses them
        known = decode.split_unknown_requests(value)[0] if method in decode.DRAINS else value
        violation = validate.result_error(method, known)
    return None if violation is None else violation.path


def _verdict(path: str | None) -> str:
    return "allows it" if path is None else f"refuses it at {path or 'its top'}"
