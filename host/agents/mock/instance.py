"""Makes a small value for a plain JSON Schema, for `echo`.

The schema is read once, without a search: a value that it spells out is taken as it is, otherwise the
smallest of the type is made, with the members that an object may leave out. The value may be wrong; the run
checks it, as any agent's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from flowcage.host.terminal.text import cut
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Levels of the schema, and of references that are followed.
MAX_DEPTH = 32
# Of an answer as JSON.
MAX_CHARACTERS = 100_000
# Levels down to which optional members are made.
_OPTIONAL_LEVELS = 8
# Of optional members that cannot be made, before no more are tried: each may take as long as an answer.
_MAX_FAILURES = 10
# Each value counts as so many more, which bounds the time: a thousand values take some two milliseconds.
_CHARACTERS_A_VALUE = 100

# Keywords that would take a search.
_UNKNOWN = (
    "allOf",
    "not",
    "if",
    "$dynamicRef",
    "pattern",
    "multipleOf",
    "contains",
    "minProperties",
    "dependentRequired",
    "dependentSchemas",
    "prefixItems",
)
# The type that a keyword suggests, for a schema without `type`.
_HINTS = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "minItems": "array",
    "minLength": "string",
    "minimum": "number",
    "exclusiveMinimum": "number",
}
_LOCAL = re.compile(r"#((?:/[^/]+)*)", re.DOTALL)


class NoInstance(Exception):
    """No value was made; the message says for which place and why."""


def make(schema: Json, items: int = 0, name: str = "") -> Json:
    """Make a value; the same one for the same arguments.

    Args:
        schema: any JSON value.
        items: of an array, where the schema allows so many.
        name: what texts are called, with numbers, so that no two are equal; "" for the shortest ones.

    Raises:
        NoInstance: the value is no schema, has keywords that would take a search, or needs too large an
            answer.
    """
    # No validation first: what is no schema fails somewhere below, in one of these ways.
    try:
        return _Maker(schema, items, name).make(schema, "", MAX_DEPTH)
    except (TypeError, AttributeError, LookupError, ValueError, OverflowError) as error:
        raise NoInstance(f"it is not a JSON Schema: {error}") from None


class _Maker:
    def __init__(self, root: Json, items: int = 0, name: str = "") -> None:
        self._root = root
        self._items = items
        self._name = name
        self._texts = 0
        self._left = MAX_CHARACTERS
        self._failures_left = _MAX_FAILURES

    def make(self, schema: Json, path: str, depth: int) -> Json:
        """Make the value for one schema.

        Args:
            schema: the schema.
            path: JSON Pointer (RFC 6901) of the value.
            depth: levels that are left.
        """
        self._spend(_CHARACTERS_A_VALUE, path)
        if depth == 0:
            raise _no(path, f"it has more than {MAX_DEPTH} levels, or refers to itself")
        if schema is True:
            return self._anything()
        if schema is False:
            raise _no(path, "no value is valid")
        for value in _spelled_out(schema):
            self._spend(len(strictjson.dumps(value)), path)
            return value
        for keyword in _UNKNOWN:
            if keyword in schema:
                raise _no(path, f"mock does not support {keyword!r}")
        for part in self._stand_ins(schema, path):
            return self.make(part, path, depth - 1)
        return self._least(schema, path, depth)

    def _spend(self, characters: float, path: str) -> None:
        self._left -= math.ceil(characters)
        if self._left < 0:
            raise _no(path, f"an answer would have more than some {MAX_CHARACTERS} characters")

    def _stand_ins(self, schema: dict[str, Json], path: str) -> Iterator[Json]:
        """The schema to take in this one's place: the target of its reference, or its first alternative."""
        if "$ref" in schema:
            yield self._resolve(schema["$ref"], path)
        for keyword in ("anyOf", "oneOf"):
            yield from schema.get(keyword, [])[:1]

    def _resolve(self, reference: str, path: str) -> Json:
        found = _LOCAL.fullmatch(reference)
        schema = self._root
        for step in found[1].split("/")[1:] if found else ["?"]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(schema, dict) or name not in schema:
                raise _no(path, "mock follows only references such as '#/$defs/name'")
            schema = schema[name]
        return schema

    def _least(self, schema: dict[str, Json], path: str, depth: int) -> Json:
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, path, depth)
        if kind == "array":
            return self._array(schema, path, depth)
        if kind == "string":
            return self._text(schema, path)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        if kind is None:
            return self._anything()
        return False if kind == "boolean" else None

    def _anything(self) -> Json:
        """A value where any is right: a text where they are named, which more can be done with than null."""
        return self._text({}, "") if self._name else None

    def _text(self, schema: dict[str, Json], path: str) -> str:
        length, most = int(schema.get("minLength", 0)), schema.get("maxLength", MAX_CHARACTERS)
        self._spend(length, path)
        if not self._name:
            return "a" * length
        self._texts += 1
        named, number = f"{self._name} {self._texts}", str(self._texts)
        return (named if len(named) <= most else number if len(number) <= most else "").ljust(length, "a")

    def _array(self, schema: dict[str, Json], path: str, depth: int) -> list[Json]:
        item, size = schema.get("items", True), schema.get("minItems", 0)
        size = max(size, min(self._items, schema.get("maxItems", self._items)))
        self._spend(size, path)
        made = [self.make(item, f"{path}/{index}", depth - 1) for index in range(int(size))]
        if self._items and schema.get("uniqueItems"):
            return [each for at, each in enumerate(made) if each not in made[:at]]
        return made

    def _object(self, schema: dict[str, Json], path: str, depth: int) -> dict[str, Json]:
        declared, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        made = {}
        for name in schema.get("required", []):
            self._spend(len(name), path)
            place = f"{path}/{cut(name, 80).replace('~', '~0').replace('/', '~1')}"
            made[name] = self.make(declared.get(name, others), place, depth - 1)
        if "maxProperties" not in schema and depth > MAX_DEPTH - _OPTIONAL_LEVELS:
            for name in declared:
                if name not in made and self._failures_left:
                    self._add_optional(made, name, declared[name], path, depth)
        return made

    def _add_optional(self, made: dict[str, Json], name: str, schema: Json, path: str, depth: int) -> None:
        """Make a member that may be left out: workflows are written for agents that mostly fill them in."""
        left = self._left
        try:
            self._spend(len(name), path)
            made[name] = self.make(schema, path, depth - 1)
        except NoInstance:
            self._left = left
            self._failures_left -= 1


def _no(path: str, why: str) -> NoInstance:
    return NoInstance(f"{path or '(root)'}: {why}")


def _spelled_out(schema: dict[str, Json]) -> Iterator[Json]:
    """The values that the schema itself contains, the most binding keyword first."""
    for keyword in ("const", "enum", "default", "examples"):
        if keyword in schema:
            value = schema[keyword]
            yield from [value] if keyword in ("const", "default") else value[:1]


def _kind(schema: dict[str, Json]) -> Json:
    stated = schema.get("type")
    if stated is None:
        return next((kind for word, kind in _HINTS.items() if word in schema), None)
    return stated if isinstance(stated, str) else stated[0]


def _number(schema: dict[str, Json], *, whole: bool) -> float:
    """The number nearest to 0 above the lower bounds, or below the upper ones."""
    step = 1 if whole else 0.5
    least: float = max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -step) + step)
    most: float = min(schema.get("maximum", 0), schema.get("exclusiveMaximum", step) - step)
    if most < 0:
        return math.floor(most) if whole else most
    least = max(0, least)
    return math.ceil(least) if whole else least
