"""From messages to JSON: the inverse of `decode`."""

from __future__ import annotations

from typing import Any

from flowcage.protocol.messages import (
    METHOD_NAMES,
    MISSING,
    Budget,
    Check,
    Checked,
    Initialize,
    Initialized,
    Message,
    Ok,
    OkUndefined,
    Peer,
    Resolution,
    Resolve,
    Start,
)


def method(message: Message) -> str:
    """The JSON-RPC method that carries a message."""
    return METHOD_NAMES[type(message)]


def params(message: Message) -> dict[str, Any]:
    """The JSON-RPC params of a message."""
    if isinstance(message, Initialize):
        return _present(
            protocolVersion=message.protocol_version,
            client=_peer(message.client),
            limits=message.limits.to_wire(),
            isolation=message.isolation,
        )
    if isinstance(message, Start):
        started = {
            "source": message.source,
            "sourceName": message.source_name,
            "budget": budget(message.budget),
            "dialect": message.dialect,
        }
        return started if message.args is MISSING else started | {"args": message.args}
    if isinstance(message, Check):
        return {
            "source": message.source,
            "sourceName": message.source_name,
            "dialect": message.dialect,
        }
    if isinstance(message, Resolve):
        return {"id": message.id, "resolution": resolution(message.resolution)}
    return {}


def resolution(value: Resolution) -> dict[str, Any]:
    """How a request was settled."""
    if isinstance(value, Ok):
        settled = {"type": "ok", "value": value.value}
        return settled if value.budget is None else settled | {"budget": budget(value.budget)}
    if isinstance(value, OkUndefined):
        return {"type": "ok_undefined"}
    return {"type": "error", "message": value.message}


def budget(value: Budget) -> dict[str, Any]:
    """Tokens: the ceiling or null, and what was spent."""
    return {"total": value.total, "spent": value.spent}


def initialized(result: Initialized) -> dict[str, Any]:
    """The answer to `initialize`."""
    return {
        "protocolVersion": result.protocol_version,
        "server": _peer(result.server),
        "engine": _peer(result.engine),
        "limits": result.limits.to_wire(),
        "isolation": {name: layer._asdict() for name, layer in result.isolation.items()},
        "maxMessageBytes": result.max_message_bytes,
    }


def checked(result: Checked) -> dict[str, Any]:
    """The answer to `check`."""
    return {"dialect": result.dialect, "meta": result.meta}


def _peer(value: Peer | None) -> dict[str, str] | None:
    return None if value is None else {"name": value.name, "version": value.version}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
