"""Whether a handler's answer can cross to the child, asked where it is still known whose answer it is."""

from __future__ import annotations

from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Bytes of JSON that one character can need: an astral one as two escapes.
_LONGEST_ESCAPE = 12


def require_sendable(value: Json, max_bytes: int) -> None:
    """Refuse what cannot cross.

    Args:
        value: whatever a handler returned.
        max_bytes: that it may have as JSON.

    Raises:
        RequestRejected: it has more, or no form as JSON, or more structure than the contract allows.
    """
    if isinstance(value, str) and len(value) * _LONGEST_ESCAPE + 2 <= max_bytes:
        return  # encoding it is the channel's work, and need not be done here as well
    try:
        # Most of what is too large is one long text, which need not be encoded to be found out.
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
