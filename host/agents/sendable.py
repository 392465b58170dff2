"""Whether a handler's answer can be sent to the child. Checked while it is known whose answer it is."""

from __future__ import annotations

from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Bytes of JSON for one character at most: two escapes for one beyond U+FFFF.
_LONGEST_ESCAPE = 12


def require_sendable(value: Json, max_bytes: int) -> None:
    """Refuse a value that cannot be sent.

    Args:
        value: what a handler returned.
        max_bytes: of the value as JSON.

    Raises:
        RequestRejected: the value is too long, is not JSON, or has more structure than the contract allows.
    """
    if isinstance(value, str) and len(value) * _LONGEST_ESCAPE + 2 <= max_bytes:
        return  # short enough in any encoding; the channel will encode it
    try:
        # A text with more characters than bytes are allowed is too long without being encoded.
        size = len(value) if isinstance(value, str) else 0
        if size <= max_bytes:
            text = strictjson.dumps(value).encode()
            strictjson.check_structure(text, strictjson.MAX_VALUE_DEPTH)
            size = len(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestRejected(f"the host's answer cannot be sent: {error}") from None
    if size > max_bytes:
        raise RequestRejected(
            f"the host's answer cannot be sent: its {size} bytes are more than maxMessageBytes ({max_bytes})"
        )
