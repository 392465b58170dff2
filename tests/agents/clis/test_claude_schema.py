"""What is left of a schema for the claude program; which keywords it takes was tried out with 2.1.197."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.agents.programs.claude.schema import NotTaken, taken

OBJECT = {"type": "object"}


def of(schema: Any) -> dict[str, Any]:
    """An object with one property."""
    return {**OBJECT, "properties": {"a": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        OBJECT,
        of(
            {"type": ["string", "null"], "minLength": 1, "pattern": "^a", "description": "d", "default": None}
        ),
        of({"type": "array", "items": {"enum": [1, 2]}, "minItems": 1, "uniqueItems": True}),
        of({"type": "array", "items": [{"type": "string"}]}),
        of({"oneOf": [{"const": 1}, {"type": "object", "additionalProperties": False}]}),
        of({"not": {"type": "string"}}),
        of({"if": {"type": "string"}, "then": {"minLength": 1}, "else": True}),
        of(True),
        {**of({"$ref": "#/$defs/x"}), "$defs": {"x": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
        {**OBJECT, "patternProperties": {"^x": {"type": "number"}}, "propertyNames": {"maxLength": 9}},
        # Names of properties are no keywords.
        {**OBJECT, "properties": {"format": {"type": "string"}, "$ref": {"type": "string"}}},
        {**OBJECT, "enum": [{"format": "x"}], "examples": [{"unheard-of": 1}]},
    ],
)
def test_a_schema_of_an_object_in_draft_7_stays_as_it_is(schema: Any) -> None:
    assert taken(schema) == (schema, False, True)


@pytest.mark.parametrize(
    ("schema", "left"),
    [
        (of({"type": "string", "format": "date"}), of({"type": "string"})),
        ({**OBJECT, "unevaluatedProperties": False, "x-note": 1}, OBJECT),
        ({**OBJECT, "$anchor": "a"}, OBJECT),
        (of({"prefixItems": [True], "items": False, "type": "array"}), of({"type": "array"})),
        (of({"contains": {"const": 1}, "minContains": 0}), of({})),
        (of({"contains": {"format": "date"}}), of({"contains": {}})),
        # What is left has to allow more: alternatives that overlap, and nothing that is turned round.
        (of({"oneOf": [{"format": "date"}, {"const": 1}]}), of({"anyOf": [{}, {"const": 1}]})),
        (of({"oneOf": [{"format": "x"}], "anyOf": [{"const": 1}]}), of({"anyOf": [{"const": 1}]})),
        (of({"anyOf": [{"const": 1}], "oneOf": [{"format": "x"}]}), of({"anyOf": [{"const": 1}]})),
        (of({"not": {"format": "date"}}), of({})),
        (of({"if": {"format": "date"}, "then": {"minLength": 1}, "else": {"const": 1}}), of({})),
    ],
)
def test_what_the_program_does_not_know_is_left_out(schema: Any, left: Any) -> None:
    assert taken(schema) == (left, False, False)


@pytest.mark.parametrize("name", ["$schema", "$id"])
def test_the_names_of_a_draft_and_of_the_schema_are_left_out_and_nothing_is_lost(name: str) -> None:
    assert taken({**OBJECT, name: "https://json-schema.org/draft/2020-12/schema"}) == (OBJECT, False, True)


@pytest.mark.parametrize(
    ("schema", "inside"),
    [
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}),
        ({"enum": ["a", 1, None]}, {"enum": ["a", 1, None]}),
        ({"properties": {}}, {"properties": {}}),
        ({"type": ["object", "null"]}, {"type": ["object", "null"]}),
        ({**OBJECT, "anyOf": [{"required": ["a"]}]}, {**OBJECT, "anyOf": [{"required": ["a"]}]}),
        (True, True),
        (
            {"$ref": "#/$defs/x", "$defs": {"x": {"items": {"$ref": "#"}}}},
            {
                "$ref": "#/properties/answer/$defs/x",
                "$defs": {"x": {"items": {"$ref": "#/properties/answer"}}},
            },
        ),
    ],
)
def test_any_other_root_is_put_into_an_object_and_its_references_follow(schema: Any, inside: Any) -> None:
    made = taken(schema)
    assert made.schema == {"type": "object", "properties": {"answer": inside}, "required": ["answer"]}
    assert made.is_whole
    assert made.restored({"answer": [1]}) == [1]
    assert made.restored([1]) == [1]


def test_an_object_with_a_member_of_that_name_is_not_unwrapped() -> None:
    assert taken(of({})).restored({"answer": 1}) == {"answer": 1}


@pytest.mark.parametrize(
    "schema",
    [
        of({"$ref": "#there"}),
        of({"$ref": "other.json"}),
        of({"$ref": 5}),
        {"$ref": "https://example.org/"},
        of({"$id": "a"}),
    ],
)
def test_references_to_elsewhere_are_not_taken(schema: Any) -> None:
    with pytest.raises(NotTaken):
        taken(schema)


def test_a_schema_that_is_nested_too_deep_is_not_taken() -> None:
    schema: Any = {}
    for _ in range(100_000):
        schema = {"items": schema}
    with pytest.raises(NotTaken):
        taken(schema)
