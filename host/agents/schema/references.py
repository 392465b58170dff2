"""Local references of a schema, put in place of themselves, so that `plain` need not know of them.

Generators of schemas (pydantic, zod) write a member's type once, below ``$defs``, and refer to it by
``{"$ref": "#/$defs/Name"}``. Here are such references and no others: to a name directly below ``$defs`` or
``definitions`` of the root, and not to one that contains the reference again. The result has `MAX_STEPS`
schemas at most, where a definition counts at each place that it stands at in the end: twenty definitions that
each refer twice to the next one stand for a million.

A schema with any other reference, an ``$id`` or an anchor is left to the process that knows all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from flowcage.protocol.messages import Json

MAX_STEPS = 500
MAX_DEPTH = 24
_REFERENCE = re.compile(r"#/(\$defs|definitions)/([A-Za-z0-9_.-]{1,200})")
_HOLDERS = ("$defs", "definitions")
# Keywords whose value is one schema, a list of them, or a mapping from names to them.
_ONE = frozenset({"items", "additionalProperties", "not"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_MAPPINGS = frozenset({"properties"})


class _Unknown(Exception):
    """A reference that is not put in place here, or too many of them."""


class Inlined(NamedTuple):
    """A schema without references.

    Attributes:
        schema: says the same as the one with references.
        definitions: what stood below ``$defs``. One that nobody refers to must be a schema all the same.
    """

    schema: Json
    definitions: tuple[Json, ...] = ()

    @property
    def whole(self) -> Json:
        """One schema that has all of these in it; it accepts what `schema` accepts."""
        return (
            {"allOf": [self.schema, {"anyOf": [True, *self.definitions]}]}
            if self.definitions
            else self.schema
        )


def inlined(schema: Json) -> Inlined | None:
    """Put local references in place; None where there are others, or the result is too large."""
    if not isinstance(schema, dict) or not any(holder in schema for holder in _HOLDERS):
        return Inlined(schema)
    try:
        return _Inliner(schema).root()
    except _Unknown:
        return None


class _Inliner:
    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._left = MAX_STEPS
        self._depth = 0
        self._open: list[tuple[str, str]] = []  # definitions that are being put in place

    def root(self) -> Inlined:
        rest = {name: value for name, value in self._schema.items() if name not in _HOLDERS}
        return Inlined(self._in_place(rest), tuple(map(self._in_place, self._definitions())))

    def _definitions(self) -> Iterator[Json]:
        for holder in _HOLDERS:
            definitions = self._schema.get(holder, {})
            if not isinstance(definitions, dict):
                raise _Unknown
            yield from definitions.values()

    def _in_place(self, schema: Json) -> Json:
        self._left -= 1
        self._depth += 1
        if self._left < 0 or self._depth > MAX_DEPTH:
            raise _Unknown
        form = self._object_in_place(schema) if isinstance(schema, dict) else schema
        self._depth -= 1
        return form

    def _object_in_place(self, schema: dict[str, Any]) -> Json:
        found = {name: self._value(name, value) for name, value in schema.items() if name != "$ref"}
        if "$ref" not in schema:
            return found
        target, beside = self._target(schema["$ref"]), found.get("allOf", [])
        if not isinstance(beside, list):
            raise _Unknown
        # A reference holds beside the other keywords, so it is one more schema that must accept the value.
        return {**found, "allOf": [*beside, target]} if found else target

    def _value(self, name: str, value: Json) -> Json:
        if name in _HOLDERS:
            raise _Unknown  # below the root it would belong to another resource, or be out of reach
        if name in _ONE:
            return self._in_place(value)
        if name in _LISTS and isinstance(value, list):
            return [self._in_place(part) for part in value]
        if name in _MAPPINGS and isinstance(value, dict):
            return {each: self._in_place(part) for each, part in value.items()}
        return value

    def _target(self, reference: Json) -> Json:
        match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
        if match is None:
            raise _Unknown
        holder, name = key = (match[1], match[2])
        definitions = self._schema.get(holder)
        if key in self._open or not isinstance(definitions, dict) or name not in definitions:
            raise _Unknown
        self._open.append(key)
        target = self._in_place(definitions[name])
        self._open.pop()
        return target
