"""What `echo` makes of plain schemas: small, always the same, or an error that says to use a real agent."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcage.host.agents import AgentCall, AgentError
from flowcage.host.agents.mock.echo import echo
from flowcage.host.agents.mock.instance import MAX_CHARACTERS, MAX_DEPTH, NoInstance, make
from flowcage.protocol import strictjson

from ..host.runs import run


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
        ({"const": None, "type": "string"}, None),
        ({"enum": ["low", "high"], "default": "high"}, "low"),
        ({"type": "integer", "default": 7}, 7),
        ({"type": "string", "examples": ["whale", 1]}, "whale"),
        ({"type": "string", "examples": []}, ""),
        ({"type": "string", "pattern": "^w", "default": "whale"}, "whale"),
        ({"properties": {"a": {}}}, {"a": None}),
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
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "exclusiveMinimum": -1}, 0),
        ({"type": "integer", "maximum": -5}, -5),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": -3, "maximum": 3}, 0),
        ({"type": "integer", "minimum": 1.5}, 2),
        ({"type": "integer", "maximum": -1.5}, -2),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": 0.25, "maximum": 0.25}, 0.25),
        ({"type": "array", "minItems": 2, "items": {"type": "string"}}, ["", ""]),
        (
            {"type": "object", "required": ["b", "a"], "properties": {"a": {"type": "integer"}}},
            {"b": None, "a": 0},
        ),
        ({"required": ["a"], "additionalProperties": {"type": "boolean"}}, {"a": False}),
        (
            {"required": ["b"], "properties": {"a": {"pattern": "x"}, "c": {"type": "array"}}},
            {"b": None, "c": []},
        ),
        ({"maxProperties": 0, "properties": {"a": True}, "type": "object"}, {}),
        (
            {"properties": {"text": {"type": "string"}, "next": {"$ref": "#"}}},
            {"text": "", "next": {"text": "", "next": {"text": "", "next": {"text": "", "next": {}}}}},
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "a"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"const": "b"}}}, "b"),
        ({"$ref": "#/definitions/a~1b~0", "definitions": {"a/b~": {"type": "boolean"}}}, False),
    ],
)
def test_bounds_members_and_references_are_met(schema: Any, made: Any) -> None:
    assert make(schema) == made


TOO_DEEP = f"it has more than {MAX_DEPTH} levels, or refers to itself"
TOO_MUCH = f"an answer would have more than some {MAX_CHARACTERS} characters"
HUGE = {"default": "x" * (MAX_CHARACTERS // 2)}
DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {
        **{
            f"d{n}": {"required": ["a", "b"], "additionalProperties": {"$ref": f"#/$defs/d{n + 1}"}}
            for n in range(14)
        },
        "d14": {"type": "integer"},
    },
}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (False, "(root): no value is valid"),
        ({"required": ["a/b"], "properties": {"a/b": False}}, "/a~1b: no value is valid"),
        ({"type": "string", "pattern": "^w-[0-9]+$"}, "(root): mock does not support 'pattern'"),
        ({"type": "array", "minItems": 1, "items": {"not": {}}}, "/0: mock does not support 'not'"),
        ({"allOf": [{"type": "integer"}]}, "(root): mock does not support 'allOf'"),
        ({"$ref": "#anchor"}, "(root): mock follows only references such as '#/$defs/name'"),
        ({"$ref": "http://x/y"}, "(root): mock follows only references such as '#/$defs/name'"),
        ({"$ref": "#/$defs/none"}, "(root): mock follows only references such as '#/$defs/name'"),
        ({"$ref": "#"}, f"(root): {TOO_DEEP}"),
        ({"required": ["a"], "properties": {"a": {"$ref": "#"}}}, TOO_DEEP),
        (DOUBLING, TOO_MUCH),
        ({"type": "array", "minItems": 10**9}, f"(root): {TOO_MUCH}"),
        ({"type": "string", "minLength": 10**9}, f"(root): {TOO_MUCH}"),
        ({"type": "array", "minItems": 3, "items": HUGE}, f"/1: {TOO_MUCH}"),
        ({"type": "array", "minItems": 3, "items": {"required": ["x" * 40_000]}}, f"/2: {TOO_MUCH}"),
        (5, "it is not a JSON Schema"),
        ({"type": 5}, "it is not a JSON Schema"),
        ({"enum": 5}, "it is not a JSON Schema"),
        ({"required": [5]}, "it is not a JSON Schema"),
        ({"items": 5, "minItems": 1}, "it is not a JSON Schema"),
        ({"type": "string", "minLength": "x"}, "it is not a JSON Schema"),
    ],
)
def test_echo_says_which_place_takes_a_real_agent(schema: Any, why: str) -> None:
    with pytest.raises(AgentError) as caught:
        trio.run(echo, AgentCall("1", "hi", {"schema": schema}))
    message = str(caught.value)
    assert message.startswith("mock cannot make up an answer for this options.schema: ")
    assert why in message
    assert message.endswith("; give one by --fixtures, or use a real agent (--agent)")


def test_echo_answers_with_the_prompt() -> None:
    answer = trio.run(echo, AgentCall("1", "Name a whale 🐋", {"label": "x"}))
    assert (answer.value, answer.tokens) == ("echo: Name a whale 🐋", 4)


def test_what_it_makes_is_checked_like_any_agents_answer() -> None:
    source = "export default agent('x', {schema: {type: 'integer', default: 'seven'}}).catch(e => e.message)"
    assert run(source).result == (
        'the agent gave no valid answer in 2 tries: (root): "seven" is not of type "integer"; '
        "the last answer was: seven"
    )


KEYWORDS = [
    "type",
    "const",
    "enum",
    "default",
    "examples",
    "minimum",
    "maximum",
    "minLength",
    "minItems",
    "items",
    "properties",
    "required",
    "anyOf",
    "$ref",
    "$defs",
    "a",
    "exclusiveMinimum",
    "additionalProperties",
]


def _junk() -> st.SearchStrategy[Any]:
    keywords = st.sampled_from(KEYWORDS)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(["string", "array", "object", "integer", "#/$defs/a", "#", "a"])
    )
    return st.recursive(
        leaves, lambda part: st.lists(part, max_size=3) | st.dictionaries(keywords, part), max_leaves=12
    )


@settings(deadline=None, max_examples=200)
@given(_junk())
def test_whatever_it_is_given_it_makes_json_or_says_why_not(schema: Any) -> None:
    try:
        made = make(schema)
    except NoInstance:
        return
    assert len(strictjson.dumps(made)) <= 2 * MAX_CHARACTERS
    assert make(schema) == made
