"""Generates an OpenRPC document (https://spec.open-rpc.org) of the child's methods from the schemas.

OpenRPC's schemas are JSON Schema draft 7, which ignores members beside a ``$ref`` and has no bundles. So
references become local, and one with other members beside it moves into an ``allOf``.
"""

from __future__ import annotations

from typing import Any

from flowcage.schemas.loader import document, methods, protocol_version
from tools.variants import variants

OPENRPC_VERSION = "1.3.2"
_COMMON = "common.json#/$defs/"
_COMPONENTS = "#/components/schemas/"
# By method, kinds of errors beside those of every method.
_REFUSALS = {
    "initialize": ("isolation_unavailable", "protocol_version"),
    "resolve": ("unknown_request",),
    "advance": ("unknown_request",),
    "replay": ("unknown_request",),
}
_MAY_FAIL_THE_RUN = ("check", "start", "run", "poll", "take", "drain", "advance", "replay", "sites")


def openrpc() -> dict[str, Any]:
    """The OpenRPC document."""
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "flowcage child",
            "description": "JSON-RPC 2.0, one object a line, over the child's stdin and stdout. "
            "docs/protocol.md has the rules that no schema can say.",
            "version": protocol_version(),
        },
        "methods": [_method(name) for name in methods()],
        "components": {
            "schemas": {name: _local(schema) for name, schema in document("common")["$defs"].items()},
            "errors": {kind: _error(kind, schema) for kind, schema in _kinds().items()},
        },
    }


def errors_of(method: str) -> list[str]:
    """The kinds of error that may answer a well-formed request of this method, in their schema's order."""
    may_come = {"invalid_params", "invalid_state", "internal", *_REFUSALS.get(method, ())}
    if method in _MAY_FAIL_THE_RUN:
        may_come |= {kind for kind, schema in _kinds().items() if _ends_the_run(schema)}
    return [kind for kind in _kinds() if kind in may_come]


def _method(name: str) -> dict[str, Any]:
    params, result = document(f"{name}.params"), document(f"{name}.result")
    return {
        "name": name,
        "description": f"{params['description']} Answer: {result['description']}",
        "paramStructure": "by-name",
        "params": [
            {"name": member, "required": member in params.get("required", ()), "schema": _local(schema)}
            for member, schema in params.get("properties", {}).items()
        ],
        "result": {"name": f"{name}.result", "schema": _local(result)},
        "errors": [{"$ref": f"#/components/errors/{kind}"} for kind in errors_of(name)],
        "examples": [
            {
                "name": f"{name} {number}",
                "params": [{"name": member, "value": value} for member, value in example.items()],
                "result": {"name": f"{name}.result", "value": result["examples"][0]},
            }
            for number, example in enumerate(params["examples"], 1)
        ],
    }


def _kinds() -> dict[str, dict[str, Any]]:
    return {variant.value: variant.schema for variant in variants(document("error"))}


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
    target = {"$ref": reference.replace(_COMMON, _COMPONENTS)}
    return {**local, "allOf": [target]} if local else target
