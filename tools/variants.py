"""The shapes of a schema: alternatives that ``if`` tells apart by one member with a ``const`` value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Variant(NamedTuple):
    """One shape of a message.

    Attributes:
        tag: path to the member that tells the shapes apart, such as ``("type",)`` or ``("data", "kind")``.
        value: the value of that member in this shape.
        schema: what this shape requires beside what all do; empty where it requires nothing.
    """

    tag: tuple[str, ...]
    value: str
    schema: dict[str, Any]


def variants(schema: dict[str, Any]) -> list[Variant]:
    """The shapes of a schema, in the order of its tag's ``enum``; empty where it has no cases.

    Raises:
        ValueError: a condition is not one member with a ``const`` value, or the cases differ in their tag.
    """
    cases = [case for part in [schema, *schema.get("allOf", [])] for case in _cases(part)]
    if not cases:
        return []
    tag, more = cases[0].tag, {case.value: case.schema for case in cases}
    if {case.tag for case in cases} != {tag} or not more.keys() <= set(_values(schema, tag)):
        raise ValueError(f"the cases of {'.'.join(tag)} are not those of its enum")
    return [Variant(tag, value, more.get(value, {})) for value in _values(schema, tag)]


def shape(schema: dict[str, Any], variant: Variant) -> dict[str, Any]:
    """One shape as a schema of its own: what all shapes require, what this one adds, and the tag's value."""
    common = {name: value for name, value in schema.items() if name not in ("if", "then", "else", "allOf")}
    tagged: dict[str, Any] = {"const": variant.value}
    for name in reversed(variant.tag):
        tagged = {"properties": {name: tagged}}
    return join(join(common, variant.schema), tagged)


def join(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two schemas of one value, joined; of keywords that cannot be joined, the second's counts."""
    joined = {**first, **second}
    if "properties" in first and "properties" in second:
        pairs = first["properties"], second["properties"]
        joined["properties"] = {
            name: join(*(pair.get(name, {}) for pair in pairs)) for name in pairs[0] | pairs[1]
        }
    if "required" in first and "required" in second:
        joined["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return joined


def _cases(schema: dict[str, Any]) -> Iterator[Variant]:
    while "if" in schema:
        yield Variant(*_condition(schema["if"]), schema["then"])
        schema = schema.get("else", {})


def _condition(schema: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    path: tuple[str, ...] = ()
    while schema.keys() == {"properties"} and len(schema["properties"]) == 1:
        ((name, schema),) = schema["properties"].items()
        path += (name,)
    if schema.keys() != {"const"}:
        raise ValueError(f"a condition asks for more than one constant: {', '.join(schema)}")
    return path, schema["const"]


def _values(schema: dict[str, Any], tag: tuple[str, ...]) -> list[str]:
    for name in tag:
        schema = schema["properties"][name]
    values: list[str] = schema["enum"]
    return values
