"""From messages to JSON values: the inverse of `decode`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flowcage._hints import Any, assert_never
from flowcage.protocol.limits import Limits, camel_case
from flowcage.protocol.messages import (
    METHOD_NAMES,
    MISSING,
    Advance,
    Budget,
    Check,
    Checked,
    Drain,
    Finding,
    Import,
    Imports,
    Initialize,
    Initialized,
    Message,
    Missing,
    Ok,
    OkUndefined,
    Peer,
    Poll,
    Rejected,
    Replay,
    Resolution,
    Resolve,
    Run,
    Shutdown,
    Sites,
    Start,
    Started,
    Take,
)


def method(message: Message) -> str:
    """The JSON-RPC method of a message."""
    return METHOD_NAMES[type(message)]


def params(message: Message) -> dict[str, Any]:
    """The JSON-RPC params of a message; optional members that are not set are left out."""
    match message:
        case Initialize():
            return _present(
                protocolVersion=message.protocol_version,
                client=_peer(message.client),
                limits=message.limits.to_wire(),
                isolation=message.isolation,
                reads=message.reads or None,
            )
        case Start() | Run():
            return _set(message)
        case Check():
            asked = {name: True for name in ("findings", "outline") if getattr(message, name)}
            named = {"sourceName": message.source_name, "dialect": message.dialect}
            modules = {"modules": dict(message.modules)} if message.modules else {}
            return {"source": message.source, **named, **asked, **modules}
        case Imports():
            return _set(message)
        case Resolve():
            return _resolve(message)
        case Advance() | Replay():
            return {"turns": [list(map(_resolve, turn)) for turn in message.turns]}
        case Poll() | Take() | Drain() | Sites() | Shutdown():
            return {}
        case _:
            assert_never(message)


def _set(message: Start | Run | Imports) -> dict[str, Any]:
    defaults = message._field_defaults
    return {
        camel_case(name): _PARTS[name](value) if name in _PARTS else value
        for name, value in message._asdict().items()
        if name not in defaults or value != defaults[name]
    }


def _resolve(message: Resolve) -> dict[str, Any]:
    return {"id": message.id, "resolution": resolution(message.resolution)}


def resolution(value: Resolution) -> dict[str, Any]:
    """The member `resolution` of `resolve`."""
    match value:
        case Ok():
            settled = {"type": "ok", "value": value.value}
            return settled if value.budget is None else settled | {"budget": budget(value.budget)}
        case OkUndefined():
            return {"type": "ok_undefined"}
        case Rejected():
            return {"type": "error", "message": value.message}
        case _:
            assert_never(value)


def budget(value: Budget) -> dict[str, Any]:
    """A budget: the ceiling in tokens, null for none, and the tokens spent."""
    return {"total": value.total, "spent": value.spent}


def initialized(result: Initialized) -> dict[str, Any]:
    """The result of `initialize`."""
    return {
        "protocolVersion": result.protocol_version,
        "server": _peer(result.server),
        "engine": _peer(result.engine),
        "limits": result.limits.to_wire(),
        "isolation": {name: layer._asdict() for name, layer in result.isolation.items()},
        "maxMessageBytes": result.max_message_bytes,
        **({"methods": list(result.methods)} if result.methods else {}),
    }


def started(result: Started) -> dict[str, Any]:
    """The result of `start`."""
    return {} if result.dialect is MISSING else {"dialect": result.dialect}


def checked(result: Checked) -> dict[str, Any]:
    """The result of `check`."""
    told: dict[str, Any] = {"dialect": result.dialect, "meta": result.meta}
    if not isinstance(result.findings, Missing):
        told["findings"] = [_finding(each) for each in result.findings]
    return told if isinstance(result.outline, Missing) else told | {"outline": result.outline}


def imports(found: Iterable[Import]) -> dict[str, Any]:
    """The result of `imports`."""
    return {"imports": [_present(**each._asdict()) for each in found]}


def _finding(value: Finding) -> dict[str, Any]:
    return _present(**{camel_case(name): member for name, member in value._asdict().items()})


_PARTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "budget": budget,
    "limits": Limits.to_wire,
    "modules": dict,
}


def _peer(value: Peer | None) -> dict[str, str] | None:
    return None if value is None else {"name": value.name, "version": value.version}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
