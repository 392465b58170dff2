"""The whole contract as one JSON Schema (2020-12) from which generators make types.

Each message and each of its shapes is a definition of its own under ``$defs``, and every reference is local.
What generators do not read is written as they read it: cases of ``if`` become a ``oneOf`` of named shapes,
members beside a ``$ref`` are joined with what it refers to, and an object or an ``enum`` inside another is
named after its place. What is valid stays the same: validate a message against
``{"$ref": "https://flowcage.dev/schemas/1.0/bundle.json#/$defs/StartParams"}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urldefrag, urljoin

from flowcage.schemas.loader import Protocol, document, names
from tools.variants import Variant, join, shape, variants

_TITLES = {"child": "The flowcage protocol", "host": "The flowcage host protocol"}
_DEFINITIONS = "#/$defs/"
# Keywords that say something to a reader and allow no less; beside a reference they do not change it.
_TELLING = {"title", "description", "default", "examples"}
_SAID = ("description", "examples")  # of a shape, in place of what is said of all shapes


def bundle(protocol: Protocol = "child") -> dict[str, Any]:
    """The bundle of a contract."""
    documents = [document(name, protocol) for name in names(protocol)]
    return bundled(_TITLES[protocol], documents, [document("common")] if protocol == "host" else [])


def bundled(
    title: str, documents: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Documents that refer to each other, as one: an object with a member for each message.

    Args:
        title: what the contract is called.
        documents: each with its ``$id``, whose last part names it. One that says nothing of its own only
            holds definitions, under its ``$defs``.
        others: documents of which there is only what those refer to.

    Raises:
        ValueError: two definitions have the same name, or a reference leads to none of the documents.
    """
    made = _Definitions([*documents, *others])
    messages = [made.of(document["$id"]) for document in documents if _says_something(document)]
    for uri in (uri for each in documents for uri in _definitions(each)):
        made.of(uri)
    return {
        "$schema": documents[0]["$schema"],
        "$id": urljoin(documents[0]["$id"], "bundle.json"),
        "title": re.sub(r"\W|^the ", "", title.title(), flags=re.IGNORECASE),
        "description": f"{title}, with a member for each message: generators make types of all of them. "
        "A peer sends what one of the members has, never this object.",
        "type": "object",
        "properties": {_member(message["$ref"]): message for message in messages},
        "$defs": made.schemas,
    }


class _Definitions:
    """Definitions, by name, that are made from documents once something refers to them.

    Attributes:
        schemas: each definition in its final form.
    """

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        found = dict(item for document in documents for item in _addressed(document))
        self._sources = {uri: _absolute(schema, uri) for uri, schema in found.items()}
        self._made: set[str] = set()
        self.schemas: dict[str, Any] = {}

    def of(self, uri: str) -> dict[str, Any]:
        """A reference to the definition of what stands there; where that is plain, it itself."""
        source = self._sources[uri]
        if _is_plain(source):
            return _without(source, "title")
        if uri not in self._made:
            self._made.add(uri)
            self._define(_name(uri), self._followed(source))
        return _reference(_name(uri))

    def _define(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Write a schema down as a definition; a reference to it."""
        if name in self.schemas:
            raise ValueError(f"there are two definitions {name}")
        self.schemas[name] = {}  # keeps its place before those that it needs
        self.schemas[name] = {"title": name, **_without(self._form(name, schema), "title")}
        return _reference(name)

    def _followed(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The same schema; one that only gives a union a second name gets the union's own shapes."""
        beside = _without(schema, "$ref")
        cases = variants(self._sources.get(schema.get("$ref", ""), {}))
        if not cases or beside.keys() - _TELLING:
            return schema
        self.of(schema["$ref"])
        name = _name(schema["$ref"])
        return {**beside, "oneOf": [_reference(name + definition_name(case.value)) for case in cases]}

    def _form(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            return self._referring(name, schema)
        if cases := variants(schema):
            return self._cases(name, schema, cases)
        if "object" in (types := _types(schema)) and "properties" in schema and len(types) > 1:
            return self._alternatives(name, schema, types)
        return {keyword: self._keyword(name, keyword, value) for keyword, value in schema.items()}

    def _referring(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        beside = _without(schema, "$ref")
        uri = schema["$ref"]
        if uri.startswith("#"):  # one that was made here
            return schema
        if uri not in self._sources:
            raise ValueError(f"{name} refers to {uri}, which is in none of the documents")
        if beside.keys() - _TELLING:
            return self._form(name, join(_without(self._sources[uri], "title", "examples"), beside))
        target = self.of(uri)
        if "$ref" not in target:
            return {**target, **beside}
        return {**beside, "allOf": [target]} if beside else target

    def _cases(self, name: str, schema: dict[str, Any], cases: list[Variant]) -> dict[str, Any]:
        """A union whose shapes are told apart by the value of their tag."""
        shapes = [self._define(name + definition_name(case.value), _shape(schema, case)) for case in cases]
        return {**_said(schema), "oneOf": shapes}

    def _alternatives(self, name: str, schema: dict[str, Any], types: list[str]) -> dict[str, Any]:
        parts = _without(schema, "title", *_SAID)
        others = [{"type": kind} for kind in types if kind != "object"]
        return {
            **_said(schema),
            "anyOf": [*others, self._define(f"{name}Object", {**parts, "type": "object"})],
        }

    def _keyword(self, name: str, keyword: str, value: Any) -> Any:
        if keyword == "properties":
            return {
                member: self._inside(name + definition_name(member), inner) for member, inner in value.items()
            }
        if keyword in ("items", "additionalProperties") and isinstance(value, dict):
            return self._inside(f"{name}Item", value)
        if keyword in ("anyOf", "oneOf", "allOf"):
            return [self._inside(f"{name}{number}", inner) for number, inner in enumerate(value, 1)]
        return value

    def _inside(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema in its place in another one, by reference where generators need a name for it."""
        schema = _without(schema, "title")
        if "const" in schema:
            return _constant(schema)
        if not schema.keys() - _TELLING:
            return {**schema, "tsType": "unknown"}  # json-schema-to-typescript would take it for an object
        if "enum" in schema or "properties" in schema or variants(schema):
            return self._define(name, schema)
        return self._form(name, schema)


def _addressed(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _definitions(document).items()
    yield document["$id"], _without(document, "$schema", "$id", "$defs")


def _definitions(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    place = document["$id"] + _DEFINITIONS
    return {place + name: schema for name, schema in document.get("$defs", {}).items()}


def _says_something(document: Mapping[str, Any]) -> bool:
    return bool(document.keys() - _TELLING - {"$schema", "$id", "$defs"})


def _absolute(schema: Any, uri: str) -> Any:
    """The schema with absolute references; examples and defaults are anybody's JSON and stay."""
    if isinstance(schema, list):
        return [_absolute(item, uri) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {keyword: _absolute_keyword(keyword, value, uri) for keyword, value in schema.items()}


def _absolute_keyword(keyword: str, value: Any, uri: str) -> Any:
    if keyword == "$ref" and isinstance(value, str):
        return urljoin(uri, value)
    return value if keyword in ("examples", "default", "const", "enum") else _absolute(value, uri)


def _shape(schema: dict[str, Any], case: Variant) -> dict[str, Any]:
    """One shape, with its own description and examples where it has some, and none of the others'."""
    made = _without(shape(schema, case), "title", *_SAID) | _said(case.schema)
    place = made
    for name in case.tag[:-1]:
        place["properties"] = {**place["properties"], name: _without(place["properties"][name], "examples")}
        place = place["properties"][name]
    return made


def _constant(schema: dict[str, Any]) -> dict[str, Any]:
    """A member that has one value: what else the other shapes' values are said to be would be false of it."""
    kind = {"type": "string"} if isinstance(schema["const"], str) else {"type": schema["type"]}
    return {**kind, "const": schema["const"]}


def _is_plain(schema: dict[str, Any]) -> bool:
    """Whether it is a string or a number of any value, for which a type of its own is in a program's way."""
    return bool(types := _types(schema)) and "enum" not in schema and not {"object", "array"} & set(types)


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def definition_name(name: str) -> str:
    """What the definition of a schema is called, such as ``StartParams`` for ``start.params``."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))


def _name(uri: str) -> str:
    base, fragment = urldefrag(uri)
    return definition_name(fragment.rpartition("/")[2] or base.rpartition("/")[2].removesuffix(".json"))


def _member(reference: str) -> str:
    name = reference.removeprefix(_DEFINITIONS)
    return name[0].lower() + name[1:]


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": _DEFINITIONS + name}


def _said(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: schema[keyword] for keyword in _SAID if keyword in schema}


def _without(schema: Mapping[str, Any], *keywords: str) -> dict[str, Any]:
    return {keyword: value for keyword, value in schema.items() if keyword not in keywords}
