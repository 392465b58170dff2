"""Local references are put in place, so that what generators of schemas write needs no process either."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowcage.host.agents.schema.plain import accepts, is_plain
from flowcage.host.agents.schema.references import MAX_DEPTH, MAX_STEPS, Inlined, inlined

FINDING = {"type": "object", "properties": {"line": {"type": "integer"}}, "required": ["line"]}
NAMED = {"$ref": "#/$defs/Finding", "$defs": {"Finding": FINDING}}
LISTED = {
    "$defs": {
        "Finding": {
            **FINDING,
            "properties": {"line": {"type": "integer"}, "level": {"$ref": "#/$defs/Level"}},
        },
        "Level": {"enum": ["low", "high"]},
    },
    "type": "object",
    "properties": {"findings": {"type": "array", "items": {"$ref": "#/$defs/Finding"}}},
    "required": ["findings"],
}
BESIDE = {"$ref": "#/definitions/Small", "minimum": 3, "definitions": {"Small": {"maximum": 5}}}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (NAMED, {"line": 1}, {"line": "1"}),
        (LISTED, {"findings": [{"line": 1, "level": "low"}]}, {"findings": [{"line": 1, "level": "none"}]}),
        (LISTED, {"findings": []}, {}),
        (BESIDE, 4, 2),
        (BESIDE, 3, 6),
        ({**BESIDE, "allOf": [{"not": {"const": 4}}]}, 5, 4),
    ],
)
def test_local_references_are_put_in_place(schema: Any, good: Any, bad: Any) -> None:
    form = inlined(schema)

    assert form is not None
    assert is_plain(form.whole)
    assert accepts(form.schema, good)
    assert accepts(form.whole, good)
    assert not accepts(form.schema, bad)
    assert Draft202012Validator(schema).is_valid(good)
    assert not Draft202012Validator(schema).is_valid(bad)


def doubled(levels: int) -> Any:
    """Definitions that each refer twice to the next: they stand for 2 ** levels."""
    twice = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**twice, f"d{levels}": True}}


def chain(levels: int) -> Any:
    schema: Any = {"$ref": "#/$defs/a"}
    for _ in range(levels):
        schema = {"not": schema}
    return {"not": schema, "$defs": {"a": True}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}},
        },
        {"$ref": "#/$defs/b", "$defs": {"a": True}},
        {"$ref": "#/definitions/a", "$defs": {"a": True}},
        {"$ref": "#", "$defs": {}},
        {"$ref": "#/$defs/a/items", "$defs": {"a": {"items": True}}},
        {"$ref": "#/$defs/a%20b", "$defs": {"a b": True}},
        {"$ref": "https://example.com/a", "$defs": {}},
        {"$ref": 5, "$defs": {}},
        {"$ref": "#/$defs/a", "$defs": []},
        {"$ref": "#/$defs/a", "$defs": {"a": True}, "allOf": 5, "minimum": 1},
        {"items": {"$defs": {"a": True}}, "$defs": {}},
        doubled(40),
        chain(MAX_DEPTH),
        {"$defs": {str(n): True for n in range(MAX_STEPS)}},
    ],
)
def test_what_is_not_a_local_reference_or_stands_for_too_much_is_left_to_the_checker(schema: Any) -> None:
    assert inlined(schema) is None


def test_a_definition_that_nobody_refers_to_must_be_a_schema_too() -> None:
    form = inlined({"type": "string", "$defs": {"a": {"pattern": "("}}})

    assert form is not None
    assert accepts(form.schema, "x")
    assert not is_plain(form.whole)


def test_a_schema_without_definitions_is_left_as_it_is() -> None:
    assert inlined(FINDING) == Inlined(FINDING)
    assert Inlined(FINDING).whole is FINDING


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.one_of(
    st.booleans(),
    st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, NAMES),
    st.sampled_from(
        [{"type": "integer"}, {"type": "string"}, {"minimum": 2}, {"const": 1}, {"enum": [1, "x"]}]
    ),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(lambda part: {"not": part}, parts),
        st.builds(lambda part: {"items": part}, parts),
        st.builds(lambda several: {"anyOf": several}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda name, part: {"$ref": f"#/$defs/{name}", "properties": {"p": part}}, NAMES, parts),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([0, 1, 2, 2.0, "x", "", None, True]),
    lambda parts: st.one_of(st.lists(parts, max_size=2), st.fixed_dictionaries({"p": parts})),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(root=SCHEMAS, definitions=st.dictionaries(NAMES, SCHEMAS, max_size=3), value=VALUES)
def test_what_stands_in_place_says_what_the_reference_said(root: Any, definitions: Any, value: Any) -> None:
    schema = {"allOf": [root], "$defs": definitions}
    form = inlined(schema)
    if form is not None and is_plain(form.whole):
        assert accepts(form.schema, value) == Draft202012Validator(schema).is_valid(value)
