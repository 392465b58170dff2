"""Schemas from workflows: checked, applied, explained on one line."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.agents.schema import Schema, SchemaError

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "a/b~c": {"items": {"minimum": 3}}},
}


@pytest.mark.parametrize(
    ("value", "explanation"),
    [
        ({"name": 5}, "/name: 5 is not of type 'string'"),
        ({"name": "x", "a/b~c": [3, 2]}, "/a~1b~0c/1: 2 is less than the minimum of 3"),
        ({}, "(root): 'name' is a required property"),
    ],
)
def test_a_refusal_is_one_line_with_a_json_pointer(value: Any, explanation: str) -> None:
    assert Schema(PERSON).why_not(value) == explanation


def test_an_instance_is_not_refused() -> None:
    assert Schema(PERSON).why_not({"name": "x", "more": 1}) is None


def test_a_refusal_shows_no_more_than_a_part_of_a_huge_value() -> None:
    explanation = Schema({"type": "integer"}).why_not("x" * 1_000_000)
    assert explanation is not None
    assert explanation.startswith("(root): 'xxx")
    assert len(explanation) < 600


def test_a_refusal_of_a_value_with_newlines_stays_on_one_line() -> None:
    explanation = Schema({"required": ["a\nb"], "type": "object"}).why_not({})
    assert explanation is not None
    assert "\n" not in explanation


@pytest.mark.parametrize("schema", [True, {}, {"$ref": "#/$defs/a", "$defs": {"a": {}}}])
def test_a_boolean_or_an_object_is_a_schema(schema: Any) -> None:
    assert Schema(schema).why_not([1]) is None


def test_the_schema_false_refuses_everything() -> None:
    assert Schema(False).why_not(None) is not None


@pytest.mark.parametrize("schema", [5, "string", [], None])
def test_any_other_value_is_none(schema: Any) -> None:
    with pytest.raises(SchemaError, match="must be an object or a boolean"):
        Schema(schema)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "text"}, r"/type: 'text' is not valid"),
        ({"properties": {"a": {"minimum": "1"}}}, r"/properties/a/minimum: '1' is not of type 'number'"),
        ({"pattern": "("}, r"/pattern: '\(' is not a 'regex'"),
        ({"items": [{}]}, r"/items: .* is not of type 'object', 'boolean'"),
    ],
)
def test_a_schema_that_is_wrong_is_refused_with_the_place(schema: Any, problem: str) -> None:
    with pytest.raises(SchemaError, match=rf"not a JSON Schema \(2020-12\): {problem}"):
        Schema(schema)


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/schema.json", "file:///etc/passwd", "#/$defs/none", "#none", "other"]
)
def test_a_reference_that_leads_outside_or_nowhere_is_refused_before_it_is_needed(reference: str) -> None:
    with pytest.raises(SchemaError, match=r"refers to .* not inside it; nothing is fetched"):
        Schema({"properties": {"unused": {"$ref": reference}}})


def test_a_member_that_is_only_named_like_a_reference_is_none() -> None:
    assert Schema({"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "x"}}).why_not(5) is not None


def test_references_inside_are_followed_by_pointer_anchor_and_id() -> None:
    parts = {"a": {"const": 1}, "b": {"$anchor": "b", "const": 1}, "c": {"$id": "urn:c", "const": 1}}
    schema = Schema({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#b"}, {"$ref": "urn:c"}], "$defs": parts})
    assert schema.why_not(1) is None
    assert schema.why_not(2) == "(root): 1 was expected"


def test_a_schema_that_refers_to_itself_without_end_is_refused_when_it_is_applied() -> None:
    with pytest.raises(SchemaError, match="refers to itself without end"):
        Schema({"$ref": "#"}).why_not(1)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"not": schema}
    with pytest.raises(SchemaError, match="nested too deeply"):
        Schema(schema)


def test_arithmetic_that_fails_inside_the_validator_is_the_schemas_fault() -> None:
    with pytest.raises(SchemaError, match="cannot be applied"):
        Schema({"multipleOf": 0.5}).why_not(10**309)
