"""Broken initialize, isolation and order of messages."""

from __future__ import annotations

from typing import Any

from .mutant import Action, Mutant, Turn, earlier, edit, edit_data, error, has, method, reading, result, when


def _granted(turn: Turn, **claims: bool) -> bytes:
    """The real answer, claiming these layers."""
    return edit(lambda value: value["isolation"].update(_layers(claims)))(turn)


def _layers(claims: dict[str, bool]) -> dict[str, Any]:
    return {name: {"applied": applied, "detail": "so it says"} for name, applied in claims.items()}


def _limit(name: str, value: int) -> Action:
    return edit(lambda told: told["limits"].update({name: value}))


def _layer_edit(change: Any) -> Action:
    return edit(lambda told: [change(layer) for layer in told["isolation"].values()])


def _best_effort_alone(turn: Turn) -> bool:
    """An initialize that asks for this level and for nothing else."""
    return b'"protocolVersion": "1.0", "isolation": "best_effort"' in turn.line


LIES = {"seccomp": True, "no_new_privs": True, "capabilities": True}


OF_HANDSHAKE: dict[str, Mutant] = {
    "initialize/speaks-1.0": when(
        method("initialize"), then=edit(lambda told: told.update(protocolVersion="1.1"))
    ),
    "initialize/names-itself": when(
        method("initialize"), then=edit(lambda told: told["server"].update(name=""))
    ),
    "initialize/other-version": when(has("999.0"), then=edit_data(supported=["2.0"])),
    "initialize/other-version: with a blank": reading('"1.0 "', '"1.0"'),
    "initialize/other-version: none": reading('"protocolVersion": ""', '"protocolVersion": "1.0"'),
    "initialize/after-other-version": when(earlier("998.0"), then=error("protocol_version")),
    "initialize/default-limits": when(method("initialize"), then=lambda turn: _defaults(turn)),
    "initialize/effective-limits": when(
        has('"memoryBytes": 16777216, "stepTimeoutMs": 1234'), then=_limit("cpuSeconds", 60)
    ),
    "initialize/effective-limits: of address space": when(
        has(f'"addressSpaceBytes": {1 << 40}'), then=_limit("addressSpaceBytes", 1 << 30)
    ),
    "initialize/message-bytes-agree": when(
        has("54321"), then=edit(lambda told: told.update(maxMessageBytes=8 << 20))
    ),
    "initialize/limit-zero": when(has('"maxSleepMs": 0'), then=error("invalid_request")),
    "initialize/limit-zero: negative": reading('"maxQueuedBytes": -1', '"maxQueuedBytes": 1'),
    "initialize/limit-boolean": reading('"maxSleepMs": true', '"maxSleepMs": 1'),
    "initialize/limit-fraction": reading('"maxSleepMs": 1.5', '"maxSleepMs": 2'),
    "initialize/limit-fraction: a whole number": reading('"stackBytes": 1.0', '"stackBytes": 1'),
    "initialize/limit-text": reading('"maxSleepMs": "1"', '"maxSleepMs": 1'),
    "initialize/limit-of-another-type": reading('"cpuSeconds": null', '"cpuSeconds": 1'),
    "initialize/limit-too-large": reading(f'"memoryBytes": {2**70}', '"memoryBytes": 1048576'),
    "initialize/no-version": when(method("initialize"), has('"params": {}'), then=error("protocol_version")),
    "initialize/twice": when(
        method("initialize"), earlier('"initialize"'), has('"isolation": "none"'), then=result({})
    ),
    "isolation/none-applies-nothing": when(
        has('"isolation": "none"}'),
        then=edit(lambda told: told["isolation"].update(_layers({"extra": True}))),
    ),
    "isolation/best-effort-goes-on": when(
        _best_effort_alone, then=edit(lambda told: told.update(isolation={}))
    ),
    "isolation/says-why-not": when(
        has('"isolation": "none"}'),
        then=_layer_edit(lambda layer: layer.update(detail="")),
    ),
    "isolation/strict-or-refused": when(
        has('"strict"'), then=_layer_edit(lambda layer: layer.update(applied=False))
    ),
    "isolation/strict-by-default": reading(
        '"params": {"protocolVersion": "1.0"}', '"params": {"protocolVersion": "1.0", "isolation": "none"}'
    ),
    "isolation/claims-are-true": Mutant(
        before=lambda data: data.replace(b'"1.0", "isolation": "best_effort"', b'"1.0", "isolation": "none"'),
        after=lambda turn: _granted(turn, **LIES) if _best_effort_alone(turn) else turn.answer,
    ),
    "isolation/unknown-level": reading('"perfect"', '"none"'),
    "states/start-first": when(method("start"), lambda turn: not turn.past, then=result({})),
    "states/drain-first": when(
        method("drain"), lambda turn: not turn.past, has('"id": 1,'), then=error("invalid_params")
    ),
    "states/nothing-first": when(
        method("take"), lambda turn: len(turn.past) == 1, earlier('"poll"'), then=result({"requests": []})
    ),
    "states/nothing-first: poll": when(
        method("poll"), has('"id": 1,'), lambda turn: not turn.past, then=error("invalid_request")
    ),
    "states/nothing-first: resolve": when(
        method("resolve"), earlier('"take"'), lambda turn: not turn.source, then=error("unknown_request")
    ),
    "states/poll-before-start": when(
        method("poll"),
        earlier("initialize"),
        lambda turn: not turn.source,
        then=result({"type": "pending", "stalled": False}),
    ),
    "states/take-before-start": when(
        method("take"), earlier('"initialize"'), lambda turn: not turn.source, then=result({"requests": []})
    ),
    "states/resolve-before-start": when(
        method("resolve"),
        has('"id": 2, "method"'),
        earlier("initialize"),
        lambda turn: not turn.source,
        then=error("unknown_request"),
    ),
    "states/drain-before-start": when(
        method("drain"), earlier('"initialize"'), lambda turn: not turn.source, then=error("invalid_request")
    ),
    "states/initialize-after-start": when(method("initialize", 2), earlier('"start"'), then=result({})),
    "states/start-twice": when(has("export default 2;"), method("start", 2), then=result({})),
    "states/start-after-failure": when(method("start", 2), earlier('"id": "failed"'), then=result({})),
    "states/refusal-changes-nothing": when(
        earlier('"id": "early"'), method("initialize"), then=error("invalid_state")
    ),
    "states/tells-the-state": when(has('"id": "state"'), then=edit_data(state="")),
}


def _defaults(turn: Turn) -> bytes:
    if turn.past or b"cpuSeconds" in turn.line:
        return turn.answer
    return _limit("cpuSeconds", 3600)(turn)
