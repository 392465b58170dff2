"""The message classes have the members of the published schemas, with their types and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from flowcage.protocol import errors, messages
from flowcage.protocol.errors import CODES
from flowcage.protocol.limits import Limits, camel_case
from flowcage.protocol.messages import METHODS, MISSING, Missing
from flowcage.schemas.loader import document
from flowcage.schemas.registry import lookup
from tools.variants import join, shape, variants

COMMON = document("common")["$defs"]


def case(name: str, value: str) -> dict[str, Any]:
    """One shape of a shared definition."""
    schema = COMMON[name]
    return next(shape(schema, variant) for variant in variants(schema) if variant.value == value)


SCHEMAS: dict[type[Any], dict[str, Any]] = {
    **{kind: document(f"{method}.params") for method, kind in METHODS.items()},
    messages.Peer: COMMON["peer"],
    messages.Budget: COMMON["budget"],
    messages.Layer: COMMON["layer"],
    Limits: COMMON["limits"],
    messages.Log: case("call", "log"),
    messages.Phase: case("call", "phase"),
    messages.AgentRequest: case("request", "agent"),
    messages.WorkflowRequest: case("request", "workflow"),
    messages.SleepRequest: case("request", "sleep"),
    messages.SandboxExecRequest: case("request", "sandbox_exec"),
    messages.AskRequest: case("request", "ask"),
    messages.Ok: case("resolution", "ok"),
    messages.OkUndefined: case("resolution", "ok_undefined"),
    messages.Rejected: case("resolution", "error"),
    messages.Initialized: document("initialize.result"),
    messages.Started: document("start.result"),
    messages.Finding: COMMON["finding"],
    messages.Checked: document("check.result"),
    messages.Import: document("imports.result")["properties"]["imports"]["items"],
    messages.Drained: join(
        join(COMMON["drained"], document("replay.result") | {"required": []}), document("run.result")
    ),
}
# Drained says `complete` where the wire has the word: "state": "complete". Its output is another shape's.
RENAMED = {(messages.Drained, "complete"): "state"}
ANY = frozenset({"any"})
NAMES = {
    str: "string",
    int: "integer",
    bool: "boolean",
    list: "array",
    tuple: "array",
    dict: "object",
    Mapping: "object",
}


def members(kind: type[Any]) -> dict[str, str]:
    """Each field of a class with its name on the wire."""
    return {field: RENAMED.get((kind, field), camel_case(field)) for field in kind._fields}


def properties(kind: type[Any]) -> dict[str, Any]:
    """The members of a class's schema, without the tag that the class stands for."""
    found = dict(SCHEMAS[kind].get("properties", {}))
    if kind is messages.Drained:
        found["output"] = {}
    return {name: schema for name, schema in found.items() if "const" not in schema}


def types_of_schema(schema: dict[str, Any]) -> frozenset[str]:
    """JSON's names for what a schema allows."""
    while "$ref" in schema:
        schema = lookup(schema["$ref"])
    if "enum" in schema:
        return frozenset({"string"})
    types = schema.get("type", "any")
    return frozenset([types] if isinstance(types, str) else types)


def types_of_annotation(annotation: Any) -> frozenset[str]:
    """JSON's names for what an annotation allows; `MISSING` stands for no member at all."""
    origin = get_origin(annotation)
    if annotation is Any:
        return ANY
    if origin in (Union, UnionType):
        found = frozenset().union(*map(types_of_annotation, set(get_args(annotation)) - {Missing}))
        return ANY if "any" in found else found
    if origin is Literal:
        return frozenset({"string"})
    if annotation is type(None):
        return frozenset({"null"})
    is_message = isinstance(annotation, type) and hasattr(annotation, "_fields")
    return frozenset({"object" if is_message else NAMES[origin or annotation]})


def test_every_message_class_has_a_schema() -> None:
    found = {kind for kind in vars(messages).values() if isinstance(kind, type) and hasattr(kind, "_fields")}
    found.remove(messages.UnknownRequest)  # what no schema of this version has
    assert found <= SCHEMAS.keys()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_class_has_the_members_of_its_schema(kind: type[Any]) -> None:
    assert set(members(kind).values()) == properties(kind).keys()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_what_a_schema_requires_has_no_default(kind: type[Any]) -> None:
    if kind in (messages.Budget, messages.Drained):  # built here from what was left out there
        return
    without_default = {name for field, name in members(kind).items() if field not in kind._field_defaults}
    assert without_default == set(SCHEMAS[kind].get("required", ())) - {"type"}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_default_of_a_schema_is_that_of_its_class(kind: type[Any]) -> None:
    schemas = properties(kind)
    for field, name in members(kind).items():
        schema = schemas[name]
        schema = {**lookup(schema["$ref"]), **schema} if "$ref" in schema else schema
        if "default" in schema:
            ours = kind._field_defaults[field]
            assert ours == schema["default"] or (ours, schema["default"]) == (MISSING, {}), name


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_member_has_the_type_that_its_schema_allows(kind: type[Any]) -> None:
    hints, schemas = get_type_hints(kind), properties(kind)
    for field, name in members(kind).items():
        if (kind, field) in RENAMED:
            continue
        ours = types_of_annotation(hints[field])
        absent = {"null"} if kind._field_defaults.get(field, MISSING) is None else set()
        assert ours == ANY or ours - absent == types_of_schema(schemas[name]) - absent, name


def test_every_kind_of_error_is_named_in_the_code_and_in_the_schema() -> None:
    named = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str)}
    kinds = {variant.value for variant in variants(document("error"))}
    assert named == kinds == CODES.keys()


@pytest.mark.parametrize("variant", variants(document("error")), ids=lambda variant: str(variant.value))
def test_every_kind_of_error_has_a_title_a_description_and_an_example_of_itself(variant: Any) -> None:
    assert variant.schema["title"]
    assert variant.schema["description"]
    (example,) = variant.schema["examples"]
    assert (example["data"]["kind"], example["code"]) == (variant.value, CODES[variant.value])


@pytest.mark.parametrize("kind", sorted(errors.RUN_FAILURES))
def test_the_failures_of_a_run_are_those_that_carry_a_failure(kind: str) -> None:
    data = {
        variant.value: variant.schema["properties"].get("data", {}) for variant in variants(document("error"))
    }
    assert data.pop(kind) == {"$ref": "common.json#/$defs/failure"}
    assert {name for name, schema in data.items() if "$ref" in schema} == errors.RUN_FAILURES - {kind}


@pytest.mark.parametrize("name", COMMON["limits"]["properties"])
def test_a_limit_has_a_title_a_description_and_an_example(name: str) -> None:
    schema = COMMON["limits"]["properties"][name]
    assert schema["title"]
    assert schema["description"]
    assert schema["examples"]
