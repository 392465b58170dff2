"""The JSON Schemas that a provider holds its model to, and what a workflow's schema becomes there.

A provider takes a part of JSON Schema. What a workflow writes is brought into that part where the result says
nearly the same:

- an object that says nothing of further properties gets ``additionalProperties: false``, which both providers
  require. What satisfies that satisfies the workflow's schema, too;
- a keyword that only narrows a value, such as ``minimum``, goes into the description where the provider does
  not take it. The run applies the whole schema to the answer in any case;
- ``oneOf`` becomes ``anyOf``; references are put in place; a root that is no object is put into one;
- OpenAI takes required properties only: one that is not may be null there, and null is taken out of the
  answer again.

Everything else is outside, such as an object with free names, and the schema goes another way: see `means`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowcage.host.agents.http.forms.absent import or_null, restored, takes_null, types_of
from flowcage.host.agents.schema.references import inlined
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

_WRAPPED = "answer"
_SIMPLE = frozenset({"string", "number", "integer", "boolean", "null"})
_TYPES = _SIMPLE | {"object", "array"}
# Keywords that say something of values of one type only.
_OF_OBJECTS = frozenset({"properties", "required", "additionalProperties", "minProperties", "maxProperties"})
_OF_ARRAYS = frozenset({"items", "minItems", "maxItems", "uniqueItems"})
# They say nothing about values.
_NOTES = frozenset({"$schema", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly"})
_HOLDERS = frozenset({"$defs", "definitions"})
_SHAPE = frozenset(
    {"type", "title", "description", "properties", "required", "additionalProperties"}
    | {"items", "anyOf", "oneOf", "enum", "const"}
)
# Each allows fewer values, so that a schema without it allows more.
_NARROWING = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"minLength", "maxLength", "pattern", "format"}
    | {"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"}
)
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


class Outside(Exception):
    """The provider does not take a schema like this, for this reason."""


@dataclass(frozen=True)
class Subset:
    """What one provider takes.

    Attributes:
        takes: says of a keyword that narrows, and its value, whether it may stay.
        all_required: whether each property has to be required.
        max_optional, max_unions, max_properties, max_depth, max_enum: how much of each there may be.
    """

    takes: Callable[[str, Json], bool]
    all_required: bool = False
    max_optional: int = 10_000
    max_unions: int = 10_000
    max_properties: int = 5_000
    max_depth: int = 10
    max_enum: int = 1_000


def _anthropic_takes(keyword: str, value: Json) -> bool:
    return (keyword == "format" and value in _FORMATS) or (keyword == "minItems" and value in (0, 1))


def _openai_takes(keyword: str, value: Json) -> bool:
    if keyword == "format":
        return value in _FORMATS - {"uri"}
    numbers = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    return keyword in numbers or keyword in ("minItems", "maxItems")


ANTHROPIC = Subset(_anthropic_takes, max_optional=24, max_unions=16)
OPENAI = Subset(_openai_takes, all_required=True)


class Narrowed(NamedTuple):
    """A schema as a provider takes it.

    Attributes:
        schema: its root is an object.
        restore: makes of an answer to it what the workflow's schema describes.
    """

    schema: dict[str, Json]
    restore: Callable[[Json], Json]


def narrowed(schema: Json, subset: Subset) -> Narrowed:
    """Bring a schema into the part that a provider takes.

    Raises:
        Outside: it cannot be, or its result would be too large for the provider.
    """
    whole = inlined(schema)
    if whole is None or not isinstance(whole.schema, dict):
        raise Outside("it has references that cannot be put in place")
    plain = {name: value for name, value in whole.schema.items() if name not in _HOLDERS}
    work = _Work(subset)
    if types_of(plain) == ["object"] and not ({"anyOf", "oneOf"} & plain.keys()):
        return Narrowed(work.narrow(plain, 1, False), lambda value: restored(value, plain))
    inner = work.narrow(plain, 2, False)
    return Narrowed(wrapped(inner), lambda value: restored(unwrapped(value), plain))


def wrapped(schema: Json) -> dict[str, Json]:
    """A schema of an object whose only property has the given one."""
    properties: dict[str, Json] = {_WRAPPED: schema}
    return {
        "type": "object",
        "properties": properties,
        "required": [_WRAPPED],
        "additionalProperties": False,
    }


def unwrapped(value: Json) -> Json:
    """What an answer to a `wrapped` schema has inside. A model may leave the object out."""
    return value[_WRAPPED] if isinstance(value, dict) and value.keys() == {_WRAPPED} else value


@dataclass
class _Work:
    """Narrows one schema, and counts what a provider limits."""

    subset: Subset
    optional: int = field(default=0, init=False)
    unions: int = field(default=0, init=False)
    properties: int = field(default=0, init=False)
    enumerated: int = field(default=0, init=False)

    def narrow(self, schema: Json, depth: int, in_union: bool) -> dict[str, Json]:
        """The narrowed schema.

        Args:
            schema: without references.
            depth: of objects and arrays, counted from 1.
            in_union: whether it is an alternative, or inside of one.
        """
        if not isinstance(schema, dict):
            raise Outside("it has a place for any value")
        self._require_known(schema, depth)
        types = types_of(schema)
        if not _TYPES.issuperset(types):
            raise Outside("it has a type that is none")
        if len(types) > 1 and not _SIMPLE.issuperset(types):
            return self._split(schema, types, depth, in_union)
        made: dict[str, Json] = {}
        if types:
            made["type"] = types[0] if len(types) == 1 else list(types)
        self.unions += len(types) > 1
        self._add_values(made, schema)
        self._add_alternatives(made, schema, depth)
        self._add_inside(made, schema, types, depth, in_union)
        if not made:
            raise Outside("it has a place for any value")
        self._add_words(made, schema)
        self._require_size()
        return made

    def _require_known(self, schema: dict[str, Any], depth: int) -> None:
        unknown = schema.keys() - _SHAPE - _NARROWING - _NOTES
        if unknown:
            raise Outside(f"it has the keyword {min(unknown)}")
        if depth > self.subset.max_depth:
            raise Outside("it is nested too deep")

    def _split(self, schema: dict[str, Any], types: list[str], depth: int, in_union: bool) -> dict[str, Json]:
        """Of several types with an object or array among them: an alternative for each."""
        if {"enum", "const", "anyOf", "oneOf"} & schema.keys():
            raise Outside("it has several types, and alternatives beside them")
        words: dict[str, Json] = {name: schema[name] for name in ("title", "description") if name in schema}
        rest = {name: value for name, value in schema.items() if name not in words}
        self.unions += 1
        alternatives: list[Json] = []
        for each in types:
            others = (_OF_OBJECTS if each != "object" else frozenset()) | (
                _OF_ARRAYS if each != "array" else frozenset()
            )
            kept = {name: value for name, value in rest.items() if name not in others}
            alternatives.append(self.narrow({**kept, "type": each}, depth, in_union))
        return {**words, "anyOf": alternatives}

    def _add_values(self, made: dict[str, Json], schema: dict[str, Any]) -> None:
        values = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if values is None:
            return
        if not isinstance(values, list) or any(isinstance(each, dict | list) for each in values):
            raise Outside("it has an object or array among the values of an enum")
        self.enumerated += len(values)
        made["enum"] = list(values)

    def _add_alternatives(self, made: dict[str, Json], schema: dict[str, Any], depth: int) -> None:
        for name in ("anyOf", "oneOf"):
            alternatives = schema.get(name)
            if alternatives is None:
                continue
            if made.keys() & {"enum", "anyOf"} or not isinstance(alternatives, list):
                raise Outside(f"it has {name} beside other values")
            if "properties" in schema or "items" in schema:
                raise Outside(f"it has {name} beside properties or items")
            self.unions += 1
            made.pop("type", None)
            made["anyOf"] = [self.narrow(each, depth, True) for each in alternatives]

    def _add_inside(
        self, made: dict[str, Json], schema: dict[str, Any], types: list[str], depth: int, in_union: bool
    ) -> None:
        if "anyOf" in made or "enum" in made:
            return
        if types == ["object"]:
            self._add_properties(made, schema, depth, in_union)
        elif types == ["array"]:
            made["items"] = self.narrow(schema.get("items"), depth + 1, in_union)

    def _add_properties(
        self, made: dict[str, Json], schema: dict[str, Any], depth: int, in_union: bool
    ) -> None:
        given, required = schema.get("properties"), schema.get("required", [])
        if not isinstance(given, dict) or schema.get("additionalProperties", False) is not False:
            raise Outside("it has an object with free names")
        if not isinstance(required, list) or not given.keys() >= set(map(str, required)):
            raise Outside("it requires a property that it does not describe")
        properties: dict[str, Json] = {}
        for name, each in given.items():
            inside = self.narrow(each, depth + 1, in_union)
            properties[name] = inside if name in required else self._not_required(each, inside, in_union)
        self.properties += len(properties)
        made["properties"] = properties
        made["required"] = list(properties) if self.subset.all_required else list(required)
        made["additionalProperties"] = False

    def _not_required(self, schema: Json, inside: dict[str, Json], in_union: bool) -> dict[str, Json]:
        if not self.subset.all_required:
            self.optional += 1
            return inside
        if in_union:  # in the answer it could not be told which alternative a null is to be taken out of
            raise Outside("it has an optional property in an alternative")
        return inside if takes_null(schema) else or_null(inside)

    def _add_words(self, made: dict[str, Json], schema: dict[str, Any]) -> None:
        unsaid = {}
        for name in sorted(_NARROWING & schema.keys()):
            if self.subset.takes(name, schema[name]) and "anyOf" not in made:
                made[name] = schema[name]
            else:
                unsaid[name] = schema[name]
        words = [text for text in (schema.get("description"),) if isinstance(text, str)]
        if unsaid:
            words.append(f"It has to satisfy the JSON Schema {strictjson.dumps(unsaid)}, too.")
        if words:
            made["description"] = "\n".join(words)
        if isinstance(schema.get("title"), str):
            made["title"] = schema["title"]

    def _require_size(self) -> None:
        most = self.subset
        for count, limit, what in (
            (self.optional, most.max_optional, "optional properties"),
            (self.unions, most.max_unions, "alternatives"),
            (self.properties, most.max_properties, "properties"),
            (self.enumerated, most.max_enum, "values of enums"),
        ):
            if count > limit:
                raise Outside(f"it has more than {limit} {what}")
