"""For each shape of a schema one instance with every member, and each way to damage one value of it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import cycle, islice
from typing import Any

from flowcage.protocol.limits import MAX_LIMIT
from flowcage.schemas.registry import lookup
from tools.variants import join, shape, variants

_NUMBERS = [0, 1, -1, 0.5, 1.0, MAX_LIMIT + 1]
_JUNK: list[Any] = [None, True, *_NUMBERS, "", "x", [], {}, [None], [{}], {"x": 1}]
_SCALARS: dict[str, Any] = {"integer": 1, "string": "x", "boolean": True, "null": None, "any": {"x": 1}}


def samples(schema: dict[str, Any]) -> list[Any]:
    """Instances that have, together, every member in every shape that the schema gives it."""
    if "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return samples(join(lookup(schema["$ref"]), beside))
    if cases := variants(schema):
        return [sample for case in cases for sample in samples(shape(schema, case))]
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"][:1])
    types = schema.get("type", "object" if "properties" in schema else "any")
    names = [types] if isinstance(types, str) else types
    return [sample for name in names for sample in _of_type(name, schema)]


def _of_type(name: str, schema: dict[str, Any]) -> list[Any]:
    if name == "object" and "additionalProperties" in schema:
        return [{"a/b": sample} for sample in samples(schema["additionalProperties"])]
    if name == "object":
        return _objects({name: samples(member) for name, member in schema.get("properties", {}).items()})
    if name == "array":
        return [samples(schema.get("items", {}))]
    return [_SCALARS[name]]


def _objects(members: dict[str, list[Any]]) -> list[Any]:
    """As many objects as the member with the most samples has."""
    count = max(map(len, members.values()), default=1)
    columns = [list(islice(cycle(values), count)) for values in members.values()]
    return [dict(zip(members, row, strict=True)) for row in zip(*columns, strict=True)] or [{}]


def damaged(value: Any) -> Iterator[Any]:
    """The value with one part of it replaced or taken out, in every way and place."""
    root = {"root": deepcopy(value)}
    for holder, key in list(_places(root, "root")):
        whole = holder[key]
        for junk in _JUNK:
            holder[key] = deepcopy(junk)
            yield root["root"]
        if isinstance(holder, dict) and holder is not root:
            members = dict(holder)
            del holder[key]
            yield root["root"]
            holder.clear()
            holder.update(members)
        holder[key] = whole


def _places(holder: Any, key: Any) -> Iterator[tuple[Any, Any]]:
    yield holder, key
    value = holder[key]
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for inner in keys:
        yield from _places(value, inner)
