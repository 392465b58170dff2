"""Whether a host would accept a reply, by the bounds of the wire that hold in both directions."""

from __future__ import annotations

from flowcage.protocol import strictjson


def refusal_reason(line: bytes, max_message_bytes: int) -> str | None:
    """Why a host would refuse this line; None where it would not.

    Args:
        line: an encoded reply with its newline.
        max_message_bytes: the longest line, its newline not counted.
    """
    if len(line) > max_message_bytes + 1:
        return f"a reply of {len(line)} bytes does not fit maxMessageBytes ({max_message_bytes})"
    if line.find(b"\n") != len(line) - 1:
        return "a reply cannot be sent: it is not one line"
    try:
        strictjson.check_structure(line)
    except strictjson.StructureError as error:
        return f"a reply cannot be sent: {error}"
    return None
