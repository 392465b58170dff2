"""Schemas from workflows: checked, applied, explained on one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowcage.child.checker.schema import Schema, SchemaError

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "a/b~c": {"items": {"minimum": 3}}},
}


@pytest.mark.parametrize(
    ("value", "explanation"),
    [
        ({"name": 5}, '/name: 5 is not of type "string"'),
        ({"name": "x", "a/b~c": [3, 2]}, "/a~1b~0c/1: 2 is less than the minimum of 3"),
        ({}, '(root): "name" is a required property'),
    ],
)
def test_a_refusal_is_one_line_with_a_json_pointer(value: Any, explanation: str) -> None:
    assert Schema(PERSON).why_not(value) == explanation


def test_an_instance_is_not_refused() -> None:
    assert Schema(PERSON).why_not({"name": "x", "more": 1}) is None


def test_a_refusal_shows_no_more_than_a_part_of_a_huge_value() -> None:
    explanation = Schema({"type": "integer"}).why_not("x" * 1_000_000)
    assert explanation is not None
    assert explanation.startswith('(root): "xxx')
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
        ({"type": "text"}, r'/type: "text" is not valid'),
        ({"properties": {"a": {"minimum": "1"}}}, r'/properties/a/minimum: "1" is not of type "number"'),
        ({"pattern": "("}, r'/pattern: "\(" is not a "regex"'),
        ({"items": [{}]}, r'/items: .* is not of types "boolean", "object"'),
    ],
)
def test_a_schema_that_is_wrong_is_refused_with_the_place(schema: Any, problem: str) -> None:
    with pytest.raises(SchemaError, match=rf"not a JSON Schema \(2020-12\): {problem}"):
        Schema(schema)


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/schema.json", "file:///etc/passwd", "#/$defs/none", "#none", "other"]
)
def test_a_reference_that_leads_outside_or_nowhere_is_refused_before_it_is_needed(reference: str) -> None:
    with pytest.raises(SchemaError, match=r"a reference without a target in it, and nothing is fetched: "):
        Schema({"properties": {"unused": {"$ref": reference}}})


def test_a_file_that_is_there_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}")
    with pytest.raises(SchemaError, match="nothing is fetched"):
        Schema({"$ref": (tmp_path / "schema.json").as_uri()})


def test_a_member_that_is_only_named_like_a_reference_is_none() -> None:
    assert Schema({"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "x"}}).why_not(5) is not None


def test_references_inside_are_followed_by_pointer_anchor_and_id() -> None:
    parts = {"a": {"const": 1}, "b": {"$anchor": "b", "const": 1}, "c": {"$id": "urn:c", "const": 1}}
    schema = Schema({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#b"}, {"$ref": "urn:c"}], "$defs": parts})
    assert schema.why_not(1) is None
    assert schema.why_not(2) == "(root): 1 was expected"


def test_a_schema_that_refers_to_itself_without_end_says_nothing_more() -> None:
    assert Schema({"$ref": "#"}).why_not(1) is None


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"not": schema}
    with pytest.raises(SchemaError, match="cannot be applied: Recursion limit reached"):
        Schema(schema)


@pytest.mark.parametrize(
    ("schema", "value"), [({"multipleOf": 0.5}, 10**309), ({"multipleOf": 1e-300}, 1e308)]
)
def test_numbers_beyond_a_double_are_as_exact_as_any(schema: Any, value: Any) -> None:
    assert Schema(schema).why_not(value) is None


@pytest.mark.parametrize(
    ("alternatives", "explanation"),
    [
        ([{"type": "null"}, PERSON], '/name: 5 is not of type "string"'),
        ([{"type": "null"}, {"anyOf": [PERSON, False]}], '/name: 5 is not of type "string"'),
        ([{"type": "null"}], '(root): {"name":5} is not valid under any of the schemas listed in the'),
    ],
)
@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_of_several_alternatives_the_one_that_came_furthest_explains(
    keyword: str, alternatives: Any, explanation: str
) -> None:
    said = Schema({keyword: alternatives}).why_not({"name": 5})
    assert said is not None
    assert said.startswith(explanation)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?:a|aa)+$", "(a*)*b"])
def test_a_pattern_that_would_backtrack_for_ever_takes_no_time(pattern: str) -> None:
    assert Schema({"pattern": pattern}).why_not("a" * 100_000 + "!") is not None


def test_a_million_rows_that_are_right_are_no_matter() -> None:
    assert Schema({"items": {"type": "integer"}}).why_not([1] * 1_000_000) is None
