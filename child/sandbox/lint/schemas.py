"""Schemas of answers that check nothing, contradict themselves, or are none (JSON Schema, 2020-12)."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage._hints import Any, TypeAlias
from flowcage.child.sandbox.lint.advice import near_match
from flowcage.child.sandbox.lint.subject import Found, Subject
from flowcage.child.sandbox.reading.literals import UNKNOWN
from flowcage.child.sandbox.reading.syntax import Syntax

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema")  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ANNOTATIONS = ("title", "description", "default", "examples", "$comment", "$id", "$schema", "$anchor",
                "$dynamicAnchor", "$vocabulary", "deprecated", "readOnly", "writeOnly", "format",
                "contentEncoding", "contentMediaType", "$defs", "definitions")  # fmt: skip
_OF_TYPES: dict[str, tuple[str, ...]] = {
    "object": ("properties", "patternProperties", "additionalProperties", "required", "minProperties",
               "maxProperties", "propertyNames", "dependentRequired", "dependentSchemas",
               "unevaluatedProperties"),
    "array": ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "minContains",
              "maxContains", "unevaluatedItems"),
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
_CHECKING = frozenset(
    {"type", "const", "enum", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef"}
    | {keyword for keywords in _OF_TYPES.values() for keyword in keywords}
)
KEYWORDS = tuple(sorted(_CHECKING | {*_ANNOTATIONS}))
_BOUNDS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"),
           ("minimum", "maximum"), ("minContains", "maxContains"))  # fmt: skip
_MEANT_TYPES = {"str": "string", "text": "string", "int": "integer", "float": "number", "double": "number",
                "bool": "boolean", "list": "array", "dict": "object", "map": "object", "none": "null",
                "date": "string", "any": ""}  # fmt: skip
_MEANT_KEYWORDS = {"property": "properties", "props": "properties", "fields": "properties",
                   "values": "enum", "min": "minimum", "max": "maximum", "regex": "pattern",
                   "element": "items", "elements": "items"}  # fmt: skip
_MOST_SCHEMAS = 2_000

Members: TypeAlias = dict[str, tuple[Syntax, Syntax]]


def schemas(subject: Subject) -> Iterator[Found]:
    """What is wrong with the literal schemas of `agent` and `ask`, and those in them."""
    seen: set[int] = set()
    for _, given in subject.calls.of("agent", "ask"):
        options, _ = subject.literals.members(given[1] if len(given) > 1 else None)
        if "schema" not in options:
            continue
        top = subject.literals.member(given[1], "schema")
        if top is None or id(top) in seen:
            continue
        seen.add(id(top))
        if top.type in ("string", "template_string", "number", "array"):
            yield _invalid(top, "a schema must be an object or a boolean", "write { type: '…' }")
        yield from _checks_nothing(subject, top)
        stack = [top]
        while stack and len(seen) < _MOST_SCHEMAS:
            schema = stack.pop()
            yield from _one(subject, schema)
            inner = [each for each in _below(subject, schema) if id(each) not in seen]
            seen.update(map(id, inner))
            stack.extend(reversed(inner))


def _checks_nothing(subject: Subject, schema: Syntax) -> Iterator[Found]:
    members, is_all = subject.literals.members(schema)
    if members and is_all and not members.keys() & _CHECKING:
        yield Found(
            "schema_checks_nothing",
            schema,
            "this schema has no keyword that checks anything: any answer satisfies it",
            "write { type: 'object', properties: {…}, required: […] }",
        )


def _below(subject: Subject, schema: Syntax) -> Iterator[Syntax]:
    """The literal schemas in a schema."""
    members, _ = subject.literals.members(schema)
    for keyword, (_, value) in members.items():
        found = subject.literals.resolved(value)
        if keyword in _ONE and found is not None and found.type == "object":
            yield found
        elif keyword in _LISTS:
            items = map(subject.literals.resolved, subject.literals.items(value) or ())
            yield from (each for each in items if each is not None and each.type == "object")
        elif keyword in _MAPS:
            inner, _ = subject.literals.members(value)
            named = (subject.literals.resolved(each) for _, each in inner.values())
            yield from (each for each in named if each is not None and each.type == "object")


def _one(subject: Subject, schema: Syntax) -> Iterator[Found]:
    members, is_all = subject.literals.members(schema)
    yield from _types(subject, members)
    yield from _keywords(subject, members)
    yield from _shapes(subject, members)
    yield from _bounds(subject, members)
    yield from _enums(subject, members)
    if is_all:
        yield from _required(subject, members)


def _types(subject: Subject, members: Members) -> Iterator[Found]:
    if "type" not in members:
        return
    node = members["type"][1]
    value = subject.literals.value(node)
    for given in value if isinstance(value, list) else [value]:
        if isinstance(given, str) and given not in TYPES:
            meant = _MEANT_TYPES.get(given.lower(), "") or near_match(given, list(TYPES))
            hint = f"write '{meant}'" if meant else f"the types are {', '.join(TYPES)}"
            yield _invalid(node, f"JSON Schema has no type {subject.shown(node)}", hint)
        elif given is not UNKNOWN and not isinstance(given, str):
            yield _invalid(node, "type must be the name of a type, or an array of these", "")


def _keywords(subject: Subject, members: Members) -> Iterator[Found]:
    kinds = _kinds(subject, members)
    for name, (key, _) in members.items():
        if name == "nullable":
            yield Found(
                "schema_no_effect", key, "nullable is no keyword of JSON Schema", "write type: ['…', 'null']"
            )
        elif name == "optional":
            yield Found(
                "schema_no_effect",
                key,
                "optional is no keyword of JSON Schema",
                "leave the name out of required",
            )
        elif name not in KEYWORDS and (near := _MEANT_KEYWORDS.get(name) or near_match(name, list(KEYWORDS))):
            yield Found(
                "schema_no_effect",
                key,
                f"{subject.shown(key)} is no keyword of JSON Schema",
                f"did you mean {near}?",
            )
        for kind, keywords in _OF_TYPES.items():
            if name in keywords and kinds and kind not in kinds:
                yield Found(
                    "schema_no_effect",
                    key,
                    f"{name} has no effect on type {' or '.join(sorted(kinds))}",
                    f"it is a keyword of type {kind}",
                )


def _kinds(subject: Subject, members: Members) -> set[str]:
    """The types that a schema allows, integer as number; empty where it does not say."""
    value = subject.literals.value(members["type"][1]) if "type" in members else UNKNOWN
    given = value if isinstance(value, list) else [value]
    named = [each for each in given if isinstance(each, str) and each in TYPES]
    if len(named) < len(given):
        return set()
    return {"number" if each == "integer" else each for each in named}


def _shapes(subject: Subject, members: Members) -> Iterator[Found]:
    """Keywords whose value has a form that they do not have."""
    for name, (_, node) in members.items():
        value = subject.literals.resolved(node)
        if value is None:
            continue
        is_text = value.type in ("string", "template_string")
        if name == "required" and value.type in ("true", "false"):
            yield _invalid(
                node,
                "required must be an array of names, beside properties",
                "write required: ['…'] in the object's schema",
            )
        elif name in ("properties", "patternProperties", "$defs") and (is_text or value.type == "array"):
            yield _invalid(node, f"{name} must be an object of schemas", "")
        elif name == "items" and value.type == "array":
            yield _invalid(node, "items must be one schema", "write prefixItems for one schema an item")
        elif name in _ONE and (is_text or value.type == "number"):
            yield _invalid(node, f"{name} must be a schema", "write { type: '…' }")
        elif name in ("anyOf", "allOf", "oneOf", "enum") and (value.type == "object" or is_text):
            yield _invalid(node, f"{name} must be an array", "")
        elif name in ("anyOf", "allOf", "oneOf") and subject.literals.items(node) == []:
            yield _invalid(node, f"{name} must not be empty", "")
        elif name == "enum" and subject.literals.items(node) == []:
            yield Found("schema_contradiction", node, "no value is in an empty enum", "")
    yield from _texts_for_schemas(subject, members)


def _texts_for_schemas(subject: Subject, members: Members) -> Iterator[Found]:
    """``properties: { name: 'string' }``."""
    inner, _ = subject.literals.members(members["properties"][1] if "properties" in members else None)
    for name, (_, node) in inner.items():
        value = subject.literals.resolved(node)
        if value is not None and value.type in ("string", "number", "array", "null"):
            meant = subject.literals.value(value)
            hint = f"write {{ type: '{meant}' }}" if meant in TYPES else "write { type: '…' }"
            yield _invalid(node, f"the property {name[:40]} must have a schema", hint)


def _bounds(subject: Subject, members: Members) -> Iterator[Found]:
    for low, high in _BOUNDS:
        least, most = (_value(subject, members, name) for name in (low, high))
        if isinstance(least, float) and isinstance(most, float) and least > most:
            yield Found(
                "schema_contradiction", members[low][1], f"{low} is more than {high}: nothing satisfies both"
            )


def _enums(subject: Subject, members: Members) -> Iterator[Found]:
    kinds = _kinds(subject, members)
    if not kinds:
        return
    for name in ("enum", "const"):
        if name not in members:
            continue
        node = members[name][1]
        items = subject.literals.items(node) if name == "enum" else [node]
        values = [subject.literals.value(item) for item in items or ()]
        if values and not any(value is UNKNOWN or _kind(value) in kinds for value in values):
            yield Found(
                "schema_contradiction",
                node,
                f"no value of this {name} is of type {' or '.join(sorted(kinds))}",
            )


def _required(subject: Subject, members: Members) -> Iterator[Found]:
    required = subject.literals.items(members["required"][1] if "required" in members else None)
    properties, is_all = subject.literals.members(
        members["properties"][1] if "properties" in members else None
    )
    others = (
        subject.literals.resolved(members["additionalProperties"][1])
        if "additionalProperties" in members
        else None
    )
    if required is None or not is_all or "patternProperties" in members or "allOf" in members:
        return
    for item in required:
        name = subject.literals.value(item)
        if not isinstance(name, str) or name in properties:
            continue
        near = near_match(name, list(properties))
        hint = f"did you mean {near}?" if near else "add it to properties"
        if others is not None and others.type == "false":
            text = f"{subject.shown(item)} is required and is no property: nothing satisfies both"
            yield Found("schema_contradiction", item, text, hint)
        else:
            text = f"{subject.shown(item)} is required and has no schema among the properties"
            yield Found("schema_no_effect", item, text, hint, "warning" if near else "note")


def _value(subject: Subject, members: Members, name: str) -> Any:
    return subject.literals.value(members[name][1]) if name in members else UNKNOWN


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds: dict[type, str] = {bool: "boolean", float: "number", str: "string", list: "array"}
    return kinds[type(value)]


def _invalid(node: Syntax, message: str, hint: str) -> Found:
    return Found("invalid_schema", node, message, hint)
