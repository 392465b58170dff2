"""What hypothesis draws instances of a published schema from: the schema itself."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

from flowcage.protocol.limits import MAX_LIMIT
from flowcage.schemas.loader import document
from flowcage.schemas.registry import lookup
from tools.variants import join, shape, variants

from .strategies import JsonStrategy, json_values, texts

UNKNOWN = st.dictionaries(st.sampled_from(["x-1", "x/2", ""]), json_values(2), max_size=1)


@cache
def instances_of(name: str) -> JsonStrategy:
    """`instances` of one published schema, built once."""
    return instances(document(name))


def instances(schema: dict[str, Any]) -> JsonStrategy:
    """Values that the schema allows, sometimes with members that it does not know."""
    if "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return instances(join(lookup(schema["$ref"]), beside))
    if cases := variants(schema):
        return st.one_of([instances(shape(schema, case)) for case in cases])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _of_types(schema)


def _of_types(schema: dict[str, Any]) -> JsonStrategy:
    types = schema.get("type", _object_or_any(schema))
    if types is None:
        return json_values(4)
    return st.one_of([_of_type(name, schema) for name in ([types] if isinstance(types, str) else types)])


def _object_or_any(schema: dict[str, Any]) -> str | None:
    return "object" if schema.keys() & {"properties", "required"} else None


def _of_type(name: str, schema: dict[str, Any]) -> JsonStrategy:
    if name == "object":
        return _objects(schema)
    if name == "array":
        return st.lists(instances(schema.get("items", {})), min_size=schema.get("minItems", 0), max_size=2)
    if name == "integer":
        return st.integers(schema.get("minimum", -MAX_LIMIT), schema.get("maximum", MAX_LIMIT))
    if name == "string":
        least = schema.get("minLength", 0)
        return texts().filter(lambda text: len(text) >= least)
    return {"boolean": st.booleans(), "null": st.none()}[name]


def _objects(schema: dict[str, Any]) -> JsonStrategy:
    if "additionalProperties" in schema:
        return st.dictionaries(texts(), instances(schema["additionalProperties"]), max_size=2)
    known = {name: instances(member) for name, member in schema.get("properties", {}).items()}
    required = schema.get("required", [])
    strategy = st.fixed_dictionaries(
        {name: known[name] for name in required},
        optional={name: member for name, member in known.items() if name not in required},
    )
    return st.builds(lambda more, members: more | members, UNKNOWN, strategy)


def has_whole_fraction(value: Any) -> bool:
    """Whether JSON Schema would take a number in it for an integer that the contract refuses, such as 1.0."""
    text = json.dumps(value)
    found: list[float] = []
    json.loads(text, parse_float=lambda digits: found.append(float(digits)))
    return any(number.is_integer() for number in found)
