"""Properties that need not be there, for a provider that requires each: null stands for one that is not."""

from __future__ import annotations

from typing import Any

from flowcage.protocol.messages import Json

_NULL: dict[str, Json] = {"type": "null"}


def types_of(schema: dict[str, Any]) -> list[str]:
    """The types that a schema names, or the one that its keywords are for; none where it has neither."""
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [str(each) for each in named]
    return ["object"] if "properties" in schema else ["array"] if "items" in schema else []


def takes_null(schema: Any) -> bool:
    """Whether null satisfies a schema. Where that is not plain to see, it counts as taken."""
    if not isinstance(schema, dict):
        return True
    if "const" in schema:
        return schema["const"] is None
    if isinstance(schema.get("enum"), list):
        return None in schema["enum"]
    for name in ("anyOf", "oneOf"):
        if isinstance(schema.get(name), list):
            return any(map(takes_null, schema[name]))
    types = types_of(schema)
    return not types or "null" in types


def or_null(schema: dict[str, Json]) -> dict[str, Json]:
    """A schema that takes null, too. What was said of the property stays with the property."""
    alternatives = schema.get("anyOf")
    if isinstance(alternatives, list):
        return {**schema, "anyOf": [*alternatives, _NULL]}
    words: dict[str, Json] = {name: schema[name] for name in ("title", "description") if name in schema}
    rest = {name: value for name, value in schema.items() if name not in words}
    return {**words, "anyOf": [rest, _NULL]}


def restored(value: Json, schema: Any) -> Json:
    """An answer without the nulls that stand for what is not there.

    Args:
        value: the answer.
        schema: the workflow's, without references.
    """
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        return [restored(each, schema.get("items")) for each in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    required = schema.get("required")
    return {
        name: restored(each, properties.get(name))
        for name, each in value.items()
        if each is not None or not _stands_for_absence(name, properties, required)
    }


def _stands_for_absence(name: str, properties: dict[str, Any], required: Any) -> bool:
    is_required = isinstance(required, list) and name in required
    return name in properties and not is_required and not takes_null(properties[name])
