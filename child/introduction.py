"""The answer to `initialize`: what the child is, and what holds it."""

from __future__ import annotations

from flowcage.child.engine.context import library
from flowcage.protocol import encode, errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import METHODS, Initialized, Layer, Peer
from flowcage.protocol.version import PACKAGE_VERSION, SUPPORTED_VERSIONS


def require_version(version: str) -> None:
    """Refuse a version that this child does not speak. Raises `ErrorReply`."""
    if version not in SUPPORTED_VERSIONS:
        raise ErrorReply(
            errors.PROTOCOL_VERSION,
            f"unsupported protocol version {version[:40]!r}; supported: {', '.join(SUPPORTED_VERSIONS)}",
            {"supported": list(SUPPORTED_VERSIONS)},
        )


def introduction(version: str, limits: Limits, layers: dict[str, Layer]) -> str:
    """The answer as JSON text.

    Args:
        version: the one that was agreed on.
        limits: the effective ones.
        layers: by name, whether each holds.
    """
    engine = Peer("quickjs-ng", library().JS_GetVersion().decode())
    server = Peer("flowcage", PACKAGE_VERSION)
    longest = limits.max_message_bytes
    answer = Initialized(version, server, engine, limits, layers, longest, tuple(METHODS))
    return strictjson.dumps(encode.initialized(answer))
