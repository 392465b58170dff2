"""A workflow's schema in the part of JSON Schema that a provider takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowcage.host.agents.http.forms.absent import restored, takes_null
from flowcage.host.agents.http.forms.means import Refusals, Way, means_for
from flowcage.host.agents.http.forms.subset import ANTHROPIC, OPENAI, Outside, Subset, narrowed

TEXT = {"type": "string"}
NULL = {"type": "null"}


def closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("schema", "anthropic", "openai"),
    [
        (
            {"type": "object", "properties": {"a": TEXT}},
            closed({"a": TEXT}, []),
            closed({"a": {"anyOf": [TEXT, NULL]}}, ["a"]),
        ),
        (
            {"properties": {"a": {"type": ["string", "null"]}}, "$schema": "x", "title": "T"},
            {**closed({"a": {"type": ["string", "null"]}}, []), "title": "T"},
            {**closed({"a": {"type": ["string", "null"]}}, ["a"]), "title": "T"},
        ),
        (
            {**closed({"a": {"type": "integer", "minimum": 1, "description": "one"}}, ["a"])},
            closed(
                {
                    "a": {
                        "type": "integer",
                        "description": 'one\nIt has to satisfy the JSON Schema {"minimum":1}, too.',
                    }
                },
                ["a"],
            ),
            closed({"a": {"type": "integer", "minimum": 1, "description": "one"}}, ["a"]),
        ),
        (
            {**closed({"a": {"$ref": "#/$defs/T"}}, ["a"]), "$defs": {"T": {"enum": ["x", None]}}},
            closed({"a": {"enum": ["x", None]}}, ["a"]),
            closed({"a": {"enum": ["x", None]}}, ["a"]),
        ),
        (
            closed({"a": {"oneOf": [TEXT, {"const": 5}]}}, ["a"]),
            closed({"a": {"anyOf": [TEXT, {"enum": [5]}]}}, ["a"]),
            closed({"a": {"anyOf": [TEXT, {"enum": [5]}]}}, ["a"]),
        ),
        (
            closed({"a": {"type": ["array", "null"], "items": TEXT, "minItems": 1}}, ["a"]),
            closed({"a": {"anyOf": [{"type": "array", "items": TEXT, "minItems": 1}, NULL]}}, ["a"]),
            closed({"a": {"anyOf": [{"type": "array", "items": TEXT, "minItems": 1}, NULL]}}, ["a"]),
        ),
        (TEXT, closed({"answer": TEXT}, ["answer"]), closed({"answer": TEXT}, ["answer"])),
    ],
)
def test_what_becomes_of_a_schema(schema: Any, anthropic: Any, openai: Any) -> None:
    for subset, wanted in ((ANTHROPIC, anthropic), (OPENAI, openai)):
        made = narrowed(schema, subset).schema
        assert made == wanted
        Draft202012Validator.check_schema(made)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (True, "references"),
        ({}, "any value"),
        ({"description": "anything"}, "any value"),
        ({"type": "object"}, "free names"),
        ({"type": "object", "additionalProperties": TEXT}, "free names"),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": True}, "free names"),
        ({"type": "object", "properties": {"a": TEXT}, "required": ["b"]}, "does not describe"),
        ({"type": "object", "properties": {"a": TEXT}, "required": "a"}, "does not describe"),
        ({"type": "object", "properties": {"a": True}}, "any value"),
        ({"type": "array"}, "any value"),
        ({"type": "array", "items": TEXT, "prefixItems": [TEXT]}, "prefixItems"),
        ({"type": "string", "not": {"const": "x"}}, "the keyword not"),
        ({"type": "file"}, "type that is none"),
        ({"enum": [{"a": 1}]}, "among the values"),
        ({"type": "object", "properties": {"a": TEXT}, "anyOf": [{"required": ["a"]}]}, "beside"),
        ({"type": ["object", "null"], "properties": {}, "enum": [None]}, "several types"),
        ({"$ref": "https://example.com/schema"}, "keyword"),
        ({"$defs": {"T": {"items": {"$ref": "#/$defs/T"}}}, "$ref": "#/$defs/T"}, "references"),
    ],
)
@pytest.mark.parametrize("subset", [ANTHROPIC, OPENAI], ids=["anthropic", "openai"])
def test_what_is_outside(schema: Any, reason: str, subset: Subset) -> None:
    with pytest.raises(Outside, match=reason):
        narrowed(schema, subset)


def nested(depth: int) -> Any:
    return TEXT if not depth else closed({"a": nested(depth - 1)}, ["a"])


@pytest.mark.parametrize(
    ("subset", "schema", "reason"),
    [
        (ANTHROPIC, closed({f"p{n}": TEXT for n in range(25)}, []), "24 optional"),
        (ANTHROPIC, closed({f"p{n}": {"anyOf": [TEXT, NULL]} for n in range(17)}, []), "16 alternatives"),
        (OPENAI, closed({f"p{n}": TEXT for n in range(5001)}, []), "5000 properties"),
        (OPENAI, closed({"a": {"enum": list(range(1001))}}, ["a"]), "1000 values"),
        (OPENAI, nested(11), "too deep"),
        (OPENAI, closed({"a": {"anyOf": [closed({"b": TEXT}, []), NULL]}}, ["a"]), "optional property in"),
    ],
)
def test_how_much_a_provider_takes(subset: Subset, schema: Any, reason: str) -> None:
    with pytest.raises(Outside, match=reason):
        narrowed(schema, subset)


LEAVES = st.sampled_from(
    [
        TEXT,
        {"type": "integer"},
        {"type": ["boolean", "null"]},
        {"enum": ["x", "y", None]},
        {"enum": [1, 2]},
        {"const": "k"},
        {"type": "number", "description": "n"},
        NULL,
    ]
)


def inside(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "answer"])
    return st.one_of(
        st.builds(
            lambda properties, required: {
                "type": "object",
                "properties": properties,
                "required": [name for name in sorted(required) if name in properties],
            },
            st.dictionaries(names, schemas, max_size=3),
            st.sets(names),
        ),
        st.builds(lambda items: {"type": "array", "items": items}, schemas),
        st.builds(lambda some: {"anyOf": some}, st.lists(schemas, min_size=1, max_size=3)),
        st.builds(lambda items: {"type": ["array", "null"], "items": items}, schemas),
    )


SCHEMAS: st.SearchStrategy[Any] = st.recursive(LEAVES, inside, max_leaves=8)


def instances(schema: Any) -> st.SearchStrategy[Any]:
    """Values that a narrowed schema takes, as a model that is held to it writes them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of(*map(instances, schema["anyOf"]))
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of(*(_of_type(each, schema) for each in types))


def _of_type(name: str, schema: Any) -> st.SearchStrategy[Any]:
    if name == "object":
        known = {key: instances(each) for key, each in schema["properties"].items()}
        needed = {key: each for key, each in known.items() if key in schema["required"]}
        return st.fixed_dictionaries(
            needed, optional={key: each for key, each in known.items() if key not in needed}
        )
    if name == "array":
        return st.lists(instances(schema["items"]), max_size=2)
    return {
        "string": st.text(max_size=3),
        "integer": st.integers(-5, 5),
        "number": st.integers(-5, 5),
        "boolean": st.booleans(),
        "null": st.none(),
    }[name]


@settings(max_examples=300, deadline=None)
@given(st.data())
@pytest.mark.parametrize("subset", [ANTHROPIC, OPENAI], ids=["anthropic", "openai"])
def test_whatever_satisfies_the_narrowed_schema_satisfies_the_workflows(
    subset: Subset, data: st.DataObject
) -> None:
    schema: Any = data.draw(SCHEMAS)
    try:
        form = narrowed(schema, subset)
    except Outside:
        return
    value = data.draw(instances(form.schema))
    assert Draft202012Validator(form.schema).is_valid(value)
    answer = form.restore(value)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(answer)]
    assert not errors


@pytest.mark.parametrize(
    ("schema", "takes"),
    [
        (True, True),
        ({}, True),
        (NULL, True),
        (TEXT, False),
        ({"enum": ["x"]}, False),
        ({"enum": ["x", None]}, True),
        ({"const": None}, True),
        ({"const": 0}, False),
        ({"oneOf": [TEXT, NULL]}, True),
        ({"anyOf": [TEXT, {"type": "number"}]}, False),
        ({"properties": {}}, False),
    ],
)
def test_whether_null_satisfies_a_schema(schema: Any, takes: bool) -> None:
    assert takes_null(schema) is takes


def test_what_is_not_described_stays_in_an_answer() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": {}}, "required": []}
    assert restored({"a": None, "b": None, "c": None}, schema) == {"b": None, "c": None}
    assert restored([None, {"a": None}], {"items": schema}) == [None, {}]
    assert restored("x", schema) == "x"


@pytest.mark.parametrize(
    ("schema", "ways"),
    [
        (None, ["text"]),
        (TEXT, ["format", "tool", "prompt"]),
        ({"type": "object"}, ["tool", "prompt"]),
        ({"$defs": {"T": {"items": {"$ref": "#/$defs/T"}}}, "$ref": "#/$defs/T"}, ["prompt"]),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, ["tool", "prompt"]),
    ],
)
def test_the_ways_that_a_schema_can_go(schema: Any, ways: list[str]) -> None:
    known = (Way.FORMAT, Way.TOOL, Way.PROMPT)
    assert [means.way.value for means in means_for(schema, ANTHROPIC, known)] == ways


def test_the_oldest_refusal_is_forgotten() -> None:
    refusals = Refusals()
    means = [next(means_for({"const": n}, None, [Way.FORMAT])) for n in range(1001)]
    for each in means:
        refusals.add("m", each)
    assert [refusals.has("m", each) for each in means] == [False] + [True] * 1000
    assert not refusals.has("other", means[-1])
