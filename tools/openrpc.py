"""Generates an OpenRPC document (https://spec.open-rpc.org) of a protocol's methods from the schemas.

OpenRPC's schemas are JSON Schema draft 7, which ignores members beside a ``$ref`` and has no bundles. So
references become local, and one with other members beside it moves into an ``allOf``.

In the host protocol both sides send requests: ``x-sender`` says which. A method without a result is a
notification.
"""

from __future__ import annotations

from typing import Any

from flowcage.schemas.host import METHODS
from flowcage.schemas.loader import (
    HOST_SCHEMA_BASE,
    Protocol,
    document,
    methods,
    names,
    protocol_version,
)
from tools.definitions import definitions, named
from tools.variants import variants

OPENRPC_VERSION = "1.3.2"
_COMPONENTS = "#/components/schemas/"
# By method, kinds of errors beside those of every method.
_REFUSALS = {
    "initialize": ("isolation_unavailable", "protocol_version"),
    "resolve": ("unknown_request",),
    "advance": ("unknown_request",),
    "replay": ("unknown_request",),
}
_MAY_FAIL_THE_RUN = ("check", "start", "run", "poll", "take", "drain", "advance", "replay", "sites")
# The same of the host protocol.
_STARTING = ("overloaded", "closing", "run_id_in_use", "no_store", "store_failed")
_QUESTION = ("unknown_run", "run_has_ended", "question_not_open", "no_store", "store_failed")
_REFUSALS_OF_HOST = {
    "initialize": ("protocol_version",),
    "run.start": (*_STARTING, "key_in_use"),
    "run.wait": ("unknown_run", "run_abandoned", "store_failed"),
    "run.get": ("unknown_run", "store_failed"),
    "run.list": ("store_failed",),
    "run.cancel": ("unknown_run", "run_has_ended", "store_failed"),
    "run.attach": ("unknown_run", "run_has_ended", "run_has_client"),
    "run.resume": (*_STARTING, "unknown_run", "not_resumable", "not_forkable"),
    "run.answer": (*_QUESTION, "answer_does_not_fit"),
    "run.reject": _QUESTION,
    "check": ("overloaded", "closing", "no_child"),
    "agent.remember": ("not_waiting", "store_failed"),
}
_INFO = {
    "child": {
        "title": "flowcage child",
        "description": "JSON-RPC 2.0, one object a line, over the child's stdin and stdout. "
        "docs/protocol.md has the rules that no schema can say.",
    },
    "host": {
        "title": "flowcage host",
        "description": "JSON-RPC 2.0, one object a line, over stdin and stdout of flowcage host, or over its "
        "socket. Methods whose x-sender is host are sent to the client, which answers them. "
        "docs/host-protocol.md has the rules that no schema can say.",
    },
}


def openrpc(protocol: Protocol = "child") -> dict[str, Any]:
    """The OpenRPC document of a protocol."""
    shared = definitions(protocol)
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {**_INFO[protocol], "version": version(protocol)},
        "methods": [_method(name, protocol) for name in methods(protocol)],
        "components": {
            "schemas": {name: _local(schema) for name, schema in shared.items()},
            "errors": {kind: _error(kind, schema) for kind, schema in _kinds(protocol).items()},
        },
    }


def version(protocol: Protocol) -> str:
    """The version of a protocol that the schemas describe."""
    return protocol_version() if protocol == "child" else HOST_SCHEMA_BASE.rstrip("/").rpartition("/")[2]


def errors_of(method: str, protocol: Protocol = "child") -> list[str]:
    """The kinds of error that may answer a well-formed request of this method, in their schema's order.

    Those by which a client answers are of no fixed set.
    """
    if protocol == "host":
        if not _is_answered(method, protocol) or METHODS[method].sender == "host":
            return []
        always = ("invalid_params", "invalid_state", "internal", "too_many_requests")
        may_come_of_host = {*always, *_REFUSALS_OF_HOST.get(method, ())}
        return [kind for kind in _kinds(protocol) if kind in may_come_of_host]
    may_come = {"invalid_params", "invalid_state", "internal", *_REFUSALS.get(method, ())}
    if method in _MAY_FAIL_THE_RUN:
        may_come |= {kind for kind, schema in _kinds().items() if _ends_the_run(schema)}
    return [kind for kind in _kinds() if kind in may_come]


def _is_answered(method: str, protocol: Protocol) -> bool:
    return f"{method}.result" in names(protocol)


def _method(name: str, protocol: Protocol) -> dict[str, Any]:
    params = document(f"{name}.params", protocol)
    result = document(f"{name}.result", protocol) if _is_answered(name, protocol) else None
    sender = {"x-sender": METHODS[name].sender} if protocol == "host" else {}
    answer = f" Answer: {result['description']}" if result else ""
    return {
        "name": name,
        **sender,
        "description": f"{params['description']}{answer}",
        "paramStructure": "by-name",
        "params": [
            {"name": member, "required": member in params.get("required", ()), "schema": _local(schema)}
            for member, schema in params.get("properties", {}).items()
        ],
        **({"result": {"name": f"{name}.result", "schema": _local(result)}} if result else {}),
        "errors": [{"$ref": f"#/components/errors/{kind}"} for kind in errors_of(name, protocol)],
        "examples": [
            {
                "name": f"{name} {number}",
                "params": [{"name": member, "value": value} for member, value in example.items()],
                **({"result": _example(name, result)} if result else {}),
            }
            for number, example in enumerate(params["examples"], 1)
        ],
    }


def _example(name: str, result: dict[str, Any]) -> dict[str, Any]:
    return {"name": f"{name}.result", "value": result["examples"][0]}


def _kinds(protocol: Protocol = "child") -> dict[str, dict[str, Any]]:
    return {variant.value: variant.schema for variant in variants(document("error", protocol))}


def _ends_the_run(schema: dict[str, Any]) -> bool:
    return "$ref" in schema["properties"].get("data", {})


def _error(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    code = schema["properties"]["code"]["const"]
    return {"code": code, "message": schema["description"], "data": {"kind": kind}}


def _local(value: Any) -> Any:
    """A schema, or a part of one, in draft 7."""
    if isinstance(value, list):
        return [_local(item) for item in value]
    if not isinstance(value, dict):
        return value
    local = {name: _local(inner) for name, inner in value.items() if name not in ("$schema", "$id")}
    reference = local.pop("$ref", None)
    if reference is None:
        return local
    target = {"$ref": _COMPONENTS + named(reference)}
    return {**local, "allOf": [target]} if local else target
