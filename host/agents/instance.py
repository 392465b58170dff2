"""Makes a small answer to a plain JSON Schema: what `echo` says where a model would.

It reads the schema once and never searches: what is spelled out is taken as it is, and the rest is the least
of its type. Whether the answer is right, whoever asked checks, as with any agent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

MAX_DEPTH = 32
# Characters of JSON that an answer may have, and how many a value counts for whatever its size: making a
# thousand takes some two milliseconds.
MAX_CHARACTERS = 100_000
_CHARACTERS_A_VALUE = 100

# What would take a search.
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
# What a schema without a type is about.
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
    """None is made; the message says where and why."""


def make(schema: Json) -> Json:
    """Make an answer; always the same one.

    Args:
        schema: any JSON value.

    Raises:
        NoInstance: it is no schema, has keywords that would take a search, or asks for too much.
    """
    try:
        return _Maker(schema).make(schema, "", MAX_DEPTH)
    except (TypeError, AttributeError, LookupError, ValueError, OverflowError) as error:
        raise NoInstance(f"it is not a JSON Schema: {error}") from None


class _Maker:
    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = MAX_CHARACTERS

    def make(self, schema: Json, path: str, depth: int) -> Json:
        """The value for one place, a JSON Pointer (RFC 6901)."""
        self._spend(_CHARACTERS_A_VALUE, path)
        if depth == 0:
            raise _no(path, f"it has more than {MAX_DEPTH} levels, or refers to itself")
        if schema is True:
            return None
        if schema is False:
            raise _no(path, "no value is right")
        for value in _spelled_out(schema):
            self._spend(len(strictjson.dumps(value)), path)
            return value
        for keyword in _UNKNOWN:
            if keyword in schema:
                raise _no(path, f"it makes nothing of {keyword!r}")
        for part in self._stand_ins(schema, path):
            return self.make(part, path, depth - 1)
        return self._least(schema, path, depth)

    def _spend(self, characters: float, path: str) -> None:
        self._left -= math.ceil(characters)
        if self._left < 0:
            raise _no(path, f"an answer would have more than some {MAX_CHARACTERS} characters")

    def _stand_ins(self, schema: dict[str, Json], path: str) -> Iterator[Json]:
        """The schema that says all of it: what it refers to, or its first alternative."""
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
                raise _no(path, "it follows no references but such as '#/$defs/name'")
            schema = schema[name]
        return schema

    def _least(self, schema: dict[str, Json], path: str, depth: int) -> Json:
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, path, depth)
        if kind == "array":
            return self._array(schema, path, depth)
        if kind == "string":
            self._spend(length := schema.get("minLength", 0), path)
            return "a" * int(length)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        return False if kind == "boolean" else None

    def _array(self, schema: dict[str, Json], path: str, depth: int) -> list[Json]:
        item, size = schema.get("items", True), schema.get("minItems", 0)
        self._spend(size, path)
        return [self.make(item, f"{path}/{index}", depth - 1) for index in range(int(size))]

    def _object(self, schema: dict[str, Json], path: str, depth: int) -> dict[str, Json]:
        declared, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        made = {}
        for name in schema.get("required", []):
            self._spend(len(name), path)
            place = f"{path}/{name[:80].replace('~', '~0').replace('/', '~1')}"
            made[name] = self.make(declared.get(name, others), place, depth - 1)
        return made


def _no(path: str, why: str) -> NoInstance:
    return NoInstance(f"{path or '(root)'}: {why}")


def _spelled_out(schema: dict[str, Json]) -> Iterator[Json]:
    """Values that the schema itself has, the most binding first."""
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
