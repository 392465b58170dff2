"""Schemas that the host applies itself: which they are, what they mean, and that their cost is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowcage.host.agents.schema import plain
from flowcage.host.agents.schema.plain import MAX_DEPTH, MAX_SCHEMA_STEPS, MAX_VALUE_STEPS, accepts, is_plain

MEMBERS = {
    f"member{n}": {"type": kind, "description": "What it is, in a sentence."}
    for n, kind in enumerate(
        ["string", "integer", "number", "boolean", "array", "object", "null", "string", "string", "string"]
    )
}
ROW = {"type": "object", "properties": MEMBERS, "required": list(MEMBERS), "additionalProperties": False}
FINDINGS = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": ROW}}}
VALUE = dict(zip(MEMBERS, ["text", 1, 0.5, True, [1], {"a": 1}, None, "", "é", "🐋"], strict=True))
NUMBERED = {str(n): 0 for n in range(200)}


def nested(levels: int) -> Any:
    schema: Any = True
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, 1),
        ({}, [1]),
        (ROW, VALUE),
        (FINDINGS, {"rows": [VALUE] * 40}),
        ({"type": ["string", "null"], "format": "date"}, None),
        ({"anyOf": [ROW, {"type": "null"}]}, VALUE),
        ({"enum": ["low", "high"], "default": "low", "title": "How much"}, "high"),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 500}, list(range(500))),
        ({"type": "string", "maxLength": 100_000}, "x" * 100_000),
        (nested(MAX_DEPTH - 1), 1) if MAX_DEPTH % 2 else (nested(MAX_DEPTH - 2), 1),
    ],
)
def test_what_workflows_mostly_ask_for_needs_no_process(schema: Any, value: Any) -> None:
    assert is_plain(schema)
    assert accepts(schema, value)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$dynamicRef": "#x"},
        {"$id": "urn:x"},
        {"$defs": {}},
        {"pattern": "a"},
        {"patternProperties": {}},
        {"propertyNames": True},
        {"uniqueItems": True},
        {"contains": True},
        {"prefixItems": [True]},
        {"multipleOf": 2},
        {"dependentRequired": {}},
        {"if": True},
        {"unevaluatedItems": False},
        {"unevaluatedProperties": False},
        {"nullable": True},
        {"properties": {"a": {"items": {"pattern": "a"}}}},
        {"enum": [1] * MAX_SCHEMA_STEPS},
        {"properties": {str(n): True for n in range(MAX_SCHEMA_STEPS)}},
        {"const": "x" * 1_000 * MAX_SCHEMA_STEPS},
        {"const": [[[[1]]]] * 200},
        {"anyOf": [False] * MAX_SCHEMA_STEPS},
        nested(MAX_DEPTH + 1),
        {"const": [nested(MAX_DEPTH)]},
        {"properties": {"x" * 1_001: True}},
        {"required": ["x" * 1_001]},
        {"const": {"x" * 1_001: 1}},
    ],
)
def test_a_keyword_or_a_size_that_is_not_known_to_be_cheap_is_not_plain(schema: Any) -> None:
    assert not is_plain(schema)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        5,
        "string",
        [],
        {"type": "text"},
        {"type": []},
        {"type": ["null", "null"]},
        {"type": 5},
        {"required": "a"},
        {"required": [1]},
        {"required": ["a", "a"]},
        {"properties": []},
        {"properties": {"a": 5}},
        {"items": [{}]},
        {"additionalProperties": None},
        {"anyOf": []},
        {"anyOf": {}},
        {"oneOf": [5]},
        {"minimum": "1"},
        {"minimum": True},
        {"minLength": -1},
        {"minLength": True},
        {"enum": 5},
        {"title": 5},
        {"examples": "x"},
        {"deprecated": "yes"},
    ],
)
def test_a_schema_that_is_wrong_is_not_plain(schema: Any) -> None:
    assert not is_plain(schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"anyOf": [False] * 99 + [True]}}, [0] * 490),
        ({"items": {"enum": list(range(100))}}, [99] * 400),
        ({"items": {"enum": ["x" * 2_000 + str(n) for n in range(90)]}}, ["x" * 2_000 + "89"] * 20),
        ({"items": {"const": {"a": [0] * 50}}}, [{"a": [0] * 50}] * 100),
        ({"items": {"not": {"const": NUMBERED | {"x": 1}}}}, [NUMBERED | {"y": 1}] * 400),
        ({"items": {"not": {"const": {"x": 1} | NUMBERED}}}, [{"x": 2} | NUMBERED] * 500),
        ({"items": {"required": [str(n) for n in range(100)]}}, [{str(n): 0 for n in range(100)}] * 100),
        ({"additionalProperties": True}, {str(n): 0 for n in range(MAX_VALUE_STEPS)}),
        ({"items": True}, [0] * MAX_VALUE_STEPS),
        ({"allOf": [{"items": {"type": "integer"}}] * 20}, [0] * 1_000),
    ],
)
def test_a_plain_schema_is_left_to_others_where_the_value_makes_it_costly(
    schema: Any, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_plain(schema):
        assert not accepts(schema, value)
    monkeypatch.setattr(plain, "MAX_VALUE_STEPS", 10**9)
    assert accepts(schema, value)


class Watched(list[Any]):
    """Counts which of its items anybody has looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.looked_at += 1
            yield item


@pytest.mark.parametrize("keyword", ["required", "type", "enum", "examples", "anyOf", "const"])
def test_of_a_schema_that_is_too_large_not_all_is_looked_at(keyword: str) -> None:
    long = Watched(map(str, range(100_000)))

    assert not is_plain({keyword: long})
    assert long.looked_at <= MAX_SCHEMA_STEPS


class Text(str):
    """What is a text only once it is JSON."""


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"type": "string"}}, (1, 2)),
        ({"properties": {"1": {"type": "string"}}}, {1: 2}),
        ({"properties": {"1": {"type": "string"}}, "additionalProperties": True}, {1: 2}),
        ({"properties": {"a": {"maxLength": 1}}}, {"a": Text("long")}),
        ({"not": {"const": [1]}}, [(1,)]),
        ({"not": {"items": {"enum": [[1]]}}}, [(1,)]),
    ],
)
def test_a_value_that_only_becomes_json_is_left_to_others(schema: Any, value: Any) -> None:
    assert is_plain(schema)
    assert not accepts(schema, value)


def _values() -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 3),
        st.sampled_from([0.0, 1.0, -1.5, 2**53, 2**53 + 1, float(2**53), 10**30, 1e30]),
        st.sampled_from(["", "a", "b", "ab", "é", "🐋🐋", "\ud800"]),
    )
    return st.recursive(
        leaves,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), part),
        max_leaves=6,
    )


def _schemas() -> st.SearchStrategy[Any]:
    numbers = st.sampled_from([-1, 0, 1, 1.0, 2, 0.5, 2**53 + 1, 1e30])
    counts = st.integers(0, 3)
    kinds = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
    names = st.lists(st.sampled_from(["a", "b", "c"]), unique=True)
    flat: dict[str, st.SearchStrategy[Any]] = {
        "type": kinds | st.lists(kinds, min_size=1, unique=True),
        "const": _values(),
        "enum": st.lists(_values(), max_size=3),
        "required": names,
        **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], numbers),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], counts),
        **dict.fromkeys(["minProperties", "maxProperties"], counts),
        "format": st.just("date"),
    }
    pairs = st.sampled_from(sorted(flat)).flatmap(lambda name: st.tuples(st.just(name), flat[name]))

    def composed(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(part, min_size=1, max_size=3)
        members = st.dictionaries(st.sampled_from(["a", "b", "c"]), part)
        return st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(["anyOf", "oneOf", "allOf"], several),
                **dict.fromkeys(["items", "not", "additionalProperties"], part),
                "properties": members,
                "type": flat["type"],
                "required": names,
            },
        )

    leaves = st.booleans() | st.lists(pairs, max_size=2).map(dict)
    return st.recursive(leaves, composed, max_leaves=6)


@settings(deadline=None, max_examples=200)
@given(_schemas(), _values())
def test_what_is_plain_means_the_same_as_anywhere(schema: Any, value: Any) -> None:
    assert is_plain(schema)
    Draft202012Validator.check_schema(schema)
    assert accepts(schema, value) == Draft202012Validator(schema).is_valid(value)
