"""Instances that `echo` makes of schemas: small, right, always the same, or honestly none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowcage.host.agents.instance import TooCostly
from flowcage.host.agents.referee import LARGE_WORK, instance
from flowcage.host.agents.schema import SchemaError

NODE = {
    "type": "object",
    "required": ["value", "next"],
    "properties": {
        "value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
}
TREE = {
    "type": "object",
    "required": ["left", "right"],
    "properties": {side: {"anyOf": [{"$ref": "#"}, {"type": "null"}]} for side in ("left", "right")},
}
CONDITIONAL = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"const": "card"}},
    "if": {"properties": {"kind": {"const": "card"}}},
    "then": {"required": ["number"], "properties": {"number": {"type": "string", "minLength": 2}}},
}


def make(schema: Any) -> Any:
    return instance(schema, LARGE_WORK)


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (True, None),
        ({}, None),
        ({"type": "null"}, None),
        ({"type": "boolean"}, False),
        ({"type": "integer"}, 0),
        ({"type": "number"}, 0),
        ({"type": "string"}, ""),
        ({"type": "array"}, []),
        ({"type": "object"}, {}),
        ({"type": ["string", "null"]}, ""),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"enum": ["low", "high"]}, "low"),
        ({"enum": ["low", 3], "type": "integer"}, 3),
        ({"type": "integer", "default": 7}, 7),
        ({"type": "integer", "default": "wrong"}, 0),
        ({"type": "string", "examples": [1, "whale"]}, "whale"),
        ({"properties": {"a": {}}}, {}),
        ({"items": {}}, []),
        ({"minLength": 2}, "aa"),
        ({"minimum": 2}, 2),
    ],
)
def test_a_plain_schema_gives_its_least_instance(schema: Any, made: Any) -> None:
    assert make(schema) == made


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "string", "minLength": 3, "maxLength": 3}, "aaa"),
        ({"type": "string", "minLength": 2.0}, "aa"),
        ({"type": "string", "not": {"const": ""}}, "a"),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -5}, -5),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": -3, "maximum": 3}, 0),
        ({"type": "integer", "minimum": 1.5}, 2),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "integer", "minimum": 1, "multipleOf": 1.5}, 3),
        ({"type": "number", "minimum": 1, "multipleOf": 0.5}, 1),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": 0.25, "maximum": 0.25}, 0.25),
        ({"type": "number", "multipleOf": 0.25, "exclusiveMinimum": 0, "maximum": 0.3}, 0.25),
        ({"allOf": [{"multipleOf": 4}, {"multipleOf": 6}, {"minimum": 1}], "type": "integer"}, 12),
    ],
)
def test_bounds_of_numbers_and_strings_are_met_as_near_to_nothing_as_they_allow(
    schema: Any, made: Any
) -> None:
    assert make(schema) == made


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (
            {"type": "object", "required": ["b", "a"], "properties": {"a": {"type": "integer"}}},
            {"b": None, "a": 0},
        ),
        ({"required": ["a"], "additionalProperties": {"type": "boolean"}}, {"a": False}),
        ({"required": ["x1"], "patternProperties": {"^x": {"type": "integer"}}}, {"x1": 0}),
        (
            {"required": ["a"], "dependentRequired": {"a": ["b"], "b": ["c"]}},
            {"a": None, "b": None, "c": None},
        ),
        ({"minProperties": 2, "properties": {"a": {"const": 1}}}, {"a": 1, "member1": None}),
        ({"properties": {"a": {"const": 1}}, "not": {"const": {}}, "type": "object"}, {"a": 1}),
        ({"type": "array", "minItems": 2, "items": {"type": "string"}}, ["", ""]),
        ({"minItems": 3, "prefixItems": [{"const": 1}, {"const": 2}], "items": {"const": 3}}, [1, 2, 3]),
        ({"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "string"}}, ["", "a", "b"]),
        ({"minItems": 2, "uniqueItems": True, "items": {"enum": ["x", "y"]}}, ["x", "y"]),
        ({"type": "array", "contains": {"const": 5}}, [5]),
        ({"contains": {"const": 5}, "minContains": 2, "prefixItems": [{"type": "string"}]}, ["", 5, 5]),
        ({"type": "array", "contains": {"const": 5}, "minContains": 0}, []),
    ],
)
def test_objects_and_arrays_hold_what_they_must_and_no_more(schema: Any, made: Any) -> None:
    assert make(schema) == made


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"anyOf": [{"type": "string", "const": 1}, {"type": "integer"}]}, 1),
        ({"anyOf": [False, {"const": 1}]}, 1),
        ({"oneOf": [{"type": "integer"}, {"type": "integer", "minimum": -5}]}, -6),
        ({"allOf": [{"type": "number"}, {"type": "integer"}, {"minimum": 3}]}, 3),
        ({"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": 1}}}], "type": "object"}, {"a": 1}),
        ({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, {"value": 0, "next": None}),
        (TREE, {"left": None, "right": None}),
        (CONDITIONAL, {"kind": "card", "number": "aa"}),
        ({"if": {"type": "string"}, "else": {"const": 3}}, 3),
        ({"$ref": "#word", "$defs": {"w": {"$anchor": "word", "type": "string"}}}, ""),
        ({"$ref": "#/definitions/w", "definitions": {"w": {"type": "boolean"}}}, False),
    ],
)
def test_choices_and_references_are_followed_to_the_shallowest_instance(schema: Any, made: Any) -> None:
    assert make(schema) == made


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        (r"^[A-Z]{3}-\d+$", "AAA-0"),
        (r"^(?P<side>left|right)/(?P=side)$", "left/left"),
        (r"^(?:a|bc)?x$", "x"),
        (r"^[^a-z]$", "A"),
        (r"^\S+@\S+\.[a-z]{2,}$", "a@a.aa"),
        (r"^.\s\w\W\D$", "a a-a"),
        (r"^(?!aa)[a-b]{2}$", "ab"),
        (r"^(?=.*\d)(?=.*[A-Z])[a-zA-Z0-9]{8}$", None),
        (r"b", "b"),
        (r"^[\u4e00-\u9fff]+$", "\u4e00"),
        (r"^\d{4}-\d{2}-\d{2}$", "0000-00-00"),
        (r"^(?>x+)y*?$", "x"),
    ],
)
def test_a_pattern_is_matched_by_a_short_string_or_the_schema_refused(pattern: str, made: str | None) -> None:
    schema = {"type": "string", "pattern": pattern}
    if made is None:
        with pytest.raises(SchemaError, match="cannot make an instance"):
            make(schema)
    else:
        assert make(schema) == made


@pytest.mark.parametrize("pattern", [r"^[a-z]+$", r"^x", r"x$", r"^(ab)+$", r"^a{2}b*c{0,3}$"])
def test_a_pattern_and_a_least_length_are_both_met(pattern: str) -> None:
    made = make({"type": "string", "pattern": pattern, "minLength": 12})
    assert 12 <= len(made) <= 24


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (False, r"\(root\): no value can be right"),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, "/a: no value can be right"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, r"\(root\): .* nothing else came to mind"),
        ({"enum": [1], "const": 2}, r"\(root\): 1 is not right"),
        (
            {"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "boolean"}},
            "/2: true is not right",
        ),
        ({"$ref": "#"}, r"\(root\): more than 64 schemas at once"),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
            "it asks for more than 64 levels",
        ),
    ],
)
def test_a_schema_without_an_instance_in_reach_is_refused_with_place_and_reason(
    schema: Any, problem: str
) -> None:
    with pytest.raises(SchemaError, match=f"echo cannot make an instance of options.schema: {problem}"):
        make(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "object", "minProperties": 10**9},
        {"allOf": [{"anyOf": [{"minimum": n}, {"maximum": n}]} for n in range(30)], "not": {}},
    ],
    ids=["items", "length", "members", "choices"],
)
def test_a_schema_that_asks_for_too_much_work_is_given_up(schema: Any) -> None:
    with pytest.raises(TooCostly):
        instance(schema, 4_000_000)


def _schemas() -> st.SearchStrategy[Any]:
    small = st.integers(-3, 5)
    leaves = st.one_of(
        st.booleans(),
        st.fixed_dictionaries({"const": st.one_of(st.none(), small)}),
        st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": small, "maximum": small}),
        st.fixed_dictionaries(
            {"type": st.just("number")}, optional={"multipleOf": st.sampled_from([0.1, 3])}
        ),
        st.fixed_dictionaries(
            {"type": st.just("string")},
            optional={"minLength": st.integers(0, 5), "maxLength": st.integers(0, 5)},
        ),
    )
    return st.recursive(leaves, _composed, max_leaves=8)


def _composed(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b"])
    several = st.lists(parts, min_size=1, max_size=3)
    members = {"properties": st.dictionaries(names, parts), "required": st.lists(names, unique=True)}
    return st.one_of(
        st.fixed_dictionaries({}, optional={**members, "additionalProperties": parts}),
        st.fixed_dictionaries(
            {"type": st.just("array")}, optional={"items": parts, "minItems": st.integers(0, 3)}
        ),
        st.fixed_dictionaries({}, optional={"anyOf": several, "oneOf": several, "allOf": several}),
        st.fixed_dictionaries({"prefixItems": several, "contains": parts}),
        st.fixed_dictionaries({"if": parts, "then": parts, "else": parts}),
        st.fixed_dictionaries({"not": parts}),
    )


@settings(deadline=None, max_examples=150)
@given(_schemas())
def test_of_any_schema_the_instance_is_valid_and_always_the_same_or_refused(schema: Any) -> None:
    try:
        made = instance(schema, 4_000_000)
    except (SchemaError, TooCostly):
        return
    assert Draft202012Validator(schema).is_valid(made)
    assert instance(schema, 4_000_000) == made
