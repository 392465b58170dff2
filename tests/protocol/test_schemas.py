"""The published schemas: complete, documented, true to the code, and cheap to have at hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from flowcage.protocol.errors import CODES, RUN_FAILURES
from flowcage.protocol.limits import MAX_LIMIT, Limits
from flowcage.protocol.members import SCHEMA_BASE, schema_id
from flowcage.protocol.messages import DIALECTS, ISOLATIONS, METHODS
from flowcage.schemas import loader
from flowcage.schemas.keywords import ContractValidator
from flowcage.schemas.loader import document, names
from flowcage.schemas.registry import lookup, registry

MESSAGES = [name for name in names() if name != "common"]
COMMON = document("common")["$defs"]

# Keywords whose refusal is worded in keywords.py, that lead to other schemas, or that only tell.
REFUSING = {"type", "required", "enum", "const", "minimum", "maximum", "minLength", "minItems"}
LEADING = {"$ref", "properties", "additionalProperties", "items", "if", "then", "else", "allOf", "$defs"}
TELLING = {"$schema", "$id", "title", "description", "default", "examples"}


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for keyword, value in schema.items():
        if keyword in {"properties", "$defs"}:
            inner = list(value.values())
        elif keyword == "allOf":
            inner = value
        else:
            inner = [value] if keyword in {"additionalProperties", "items", "if", "then", "else"} else []
        for subschema in inner:
            yield from schemas_in(subschema)


def properties_in(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for subschema in schemas_in(schema):
        conditions = [subschema.get("if", {})]
        for name, value in subschema.get("properties", {}).items():
            if all(name not in condition.get("properties", {}) for condition in conditions):
                yield name, value


def errors_of(schema: dict[str, Any], value: object) -> list[ValidationError]:
    return list(ContractValidator(schema, registry=registry()).iter_errors(value))


def test_there_is_a_schema_for_every_message_and_no_other() -> None:
    messages = {f"{method}.{part}" for method in METHODS for part in ("params", "result")}
    assert set(names()) == messages | {"error", "common"}


def test_an_unknown_schema_is_no_file_name() -> None:
    for name in ("nope", "../pyproject", "common.json", ""):
        with pytest.raises(KeyError):
            document(name)


def test_the_folder_and_the_protocol_agree_on_the_base() -> None:
    assert loader.SCHEMA_BASE == SCHEMA_BASE


@pytest.mark.parametrize("name", names())
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = document(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == schema_id(name)
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", names())
def test_a_schema_uses_only_keywords_that_never_quote_the_value(name: str) -> None:
    used = {keyword for schema in schemas_in(document(name)) for keyword in schema}
    assert used <= REFUSING | LEADING | TELLING


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_examples(name: str) -> None:
    assert document(name)["examples"]


@pytest.mark.parametrize("name", COMMON)
def test_a_shared_definition_has_title_description_and_examples(name: str) -> None:
    assert COMMON[name]["title"]
    assert COMMON[name]["description"]
    assert COMMON[name]["examples"]


@pytest.mark.parametrize("name", names())
def test_every_property_is_described_where_it_stands_or_where_it_points_to(name: str) -> None:
    tags = {"code", "data", "kind"}  # in error.json, described once and narrowed for each kind
    for member, schema in properties_in(document(name)):
        described = "description" in schema or "description" in lookup(schema.get("$ref", "common.json"))
        assert described or (name == "error" and member in tags), member


@pytest.mark.parametrize("name", names())
def test_every_example_and_every_default_fits_the_schema_it_stands_in(name: str) -> None:
    for schema in schemas_in(document(name)):
        for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            assert errors_of(schema, value) == []


@pytest.mark.parametrize("name", [name for name in names() if name.endswith(".result")] + ["error"])
def test_an_example_of_a_reply_breaks_when_any_required_member_is_gone(name: str) -> None:
    schema = document(name)
    for member in schema.get("required", []):
        broken = {key: value for key, value in schema["examples"][0].items() if key != member}
        assert errors_of(schema, broken)


def test_limits_have_the_defaults_of_the_code() -> None:
    properties = COMMON["limits"]["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    assert defaults == Limits().to_wire()


def test_every_limit_names_its_unit_and_has_the_range_of_the_code() -> None:
    units = ("in bytes", "in milliseconds", "in seconds", "at once", "in UTF-16 code units")
    for name, schema in COMMON["limits"]["properties"].items():
        assert any(unit in schema["description"] for unit in units), name
        assert (schema["type"], schema["minimum"], schema["maximum"]) == ("integer", 1, MAX_LIMIT)


def test_a_run_may_lower_the_limits_that_need_no_new_cage() -> None:
    named, all_of_them = (COMMON[name]["properties"] for name in ("runLimits", "limits"))
    assert all_of_them.keys() - named.keys() == {"addressSpaceBytes", "maxMessageBytes"}
    without_defaults = {
        name: {key: value for key, value in schema.items() if key != "default"}
        for name, schema in all_of_them.items()
        if name in named
    }
    assert named == without_defaults


def test_run_and_advance_take_what_the_messages_take_that_they_join() -> None:
    run, start = document("run.params"), document("start.params")
    assert run["required"] == start["required"]
    assert run["properties"] == start["properties"]
    settlement, resolve = COMMON["settlement"], document("resolve.params")
    assert [settlement[name] for name in ("type", "required", "properties")] == [
        resolve[name] for name in ("type", "required", "properties")
    ]


def test_choices_are_those_of_the_code() -> None:
    assert COMMON["dialect"]["enum"] == list(DIALECTS)
    assert document("initialize.params")["properties"]["isolation"]["enum"] == list(ISOLATIONS)


def test_every_error_kind_has_the_code_of_the_code() -> None:
    schema = document("error")
    kinds = schema["properties"]["data"]["properties"]["kind"]["enum"]
    pairs = {}
    for case in schema["allOf"]:
        kind = case["if"]["properties"]["data"]["properties"]["kind"]["const"]
        pairs[kind] = case["then"]["properties"]["code"]["const"]
        assert case["then"]["description"]
    assert pairs == CODES
    assert sorted(kinds) == sorted(CODES)


def test_every_failed_run_tells_name_message_and_stack() -> None:
    for kind, code in CODES.items():
        bare = {"code": code, "message": "x", "data": {"kind": kind}}
        full = {**bare, "data": {"kind": kind, "name": None, "message": "x", "stack": ""}}
        if kind in RUN_FAILURES:
            assert errors_of(document("error"), bare)
            assert errors_of(document("error"), full) == []


def test_having_the_schemas_at_hand_does_not_load_the_validator() -> None:
    program = (
        "import sys, flowcage.schemas, flowcage.schemas.loader as loader\n"
        "[loader.document(name) for name in loader.names()]\n"
        "print(sorted({'jsonschema', 'referencing', 'attrs'} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
