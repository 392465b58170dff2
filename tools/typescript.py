"""Generates TypeScript types of the messages, ``protocol.d.ts``, from the schemas.

It supports the keywords that the schemas use and raises for any other, so that no rule is dropped unnoticed.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from flowcage.schemas.loader import document, methods, protocol_version
from tools.variants import Variant, shape, variants

_WIDTH = 110
_COMMON = "common.json#/$defs/"
_NAMES = {"array": "unknown[]", "integer": "number", "object": "Record<string, unknown>"}
# Keywords that types cannot express, or that become comments.
_TELLING = {"$schema", "$id", "title", "description", "default", "examples"}
_BOUNDING = {"minimum", "maximum", "minLength", "minItems"}
_SHAPING = {"$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items"}
_CASES = {"if", "then", "else", "allOf"}


def declarations() -> str:
    """The text of ``protocol.d.ts``.

    Raises:
        ValueError: a schema uses a keyword that is not supported here.
    """
    named = {_pascal(name): schema for name, schema in document("common")["$defs"].items()}
    named["ErrorObject"] = document("error")
    for method in methods():
        named[_pascal(method) + "Params"] = document(f"{method}.params")
        named[_pascal(method) + "Result"] = document(f"{method}.result")
    return "\n".join([_head(), *(_declaration(*item) for item in named.items()), _methods()])


def _head() -> str:
    return (
        f"// Messages of the flowcage protocol {protocol_version()}. "
        "Made by `flowcage schema --typescript`: do not edit.\n"
        "// Members that a reader does not know are ignored. Integers have no fraction and no exponent.\n"
    )


def _methods() -> str:
    lines = [
        f"  {name}: {{ params: {_pascal(name)}Params; result: {_pascal(name)}Result }};" for name in methods()
    ]
    return "\n".join(
        [
            "/** Every method of the child: what it takes and what it answers. */",
            "export interface Methods {",
            *lines,
            "}",
            "",
            "/** What programs branch on when a request was refused or a run failed. */",
            "export type ErrorKind = ErrorObject['data']['kind'];",
            "",
        ]
    )


def _declaration(name: str, schema: dict[str, Any]) -> str:
    return f"{_comment(schema, '')}export type {name} ={_spaced(_type(schema, ''))};\n"


def _spaced(text: str) -> str:
    return text if text.startswith("\n") else f" {text}"


def _type(schema: dict[str, Any], indent: str) -> str:
    if unknown := schema.keys() - _TELLING - _BOUNDING - _SHAPING - _CASES:
        raise ValueError(f"no TypeScript for {', '.join(sorted(unknown))}")
    cases = variants(schema)
    if not cases:
        return _plain(schema, indent)
    told_apart = {case.tag[0] for case in cases}.union(*(case.schema.get("properties", ()) for case in cases))
    shared, apart = _split(schema, told_apart)
    deeper = indent + "  "
    shapes = "".join(f"\n{deeper}| {_plain(_shape(apart, case), deeper)}" for case in cases)
    return f"{_object(shared, indent)} & ({shapes}\n{indent})" if shared["properties"] else shapes


def _split(schema: dict[str, Any], names: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two schemas: of the members that all shapes share, and of the members named in `names`."""
    members = schema["properties"].items()
    return (
        {**schema, "properties": {name: member for name, member in members if name not in names}},
        {**schema, "properties": {name: member for name, member in members if name in names}},
    )


def _plain(schema: dict[str, Any], indent: str) -> str:
    """The type of a schema without cases."""
    if "$ref" in schema:
        return _reference(schema, indent)
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " | ".join(map(_literal, schema["enum"]))
    types = schema.get("type", [])
    return " | ".join(_of_type(name, schema, indent) for name in _list(types)) or "unknown"


def _reference(schema: dict[str, Any], indent: str) -> str:
    name = _pascal(schema["$ref"].removeprefix(_COMMON))
    parts = [name]
    own = schema.get("properties", {})
    if required := [member for member in schema.get("required", ()) if member not in own]:
        parts.append(f"Required<Pick<{name}, {' | '.join(map(_literal, required))}>>")
    if own:
        parts.append(_object(schema, indent))
    return " & ".join(parts)


def _of_type(name: str, schema: dict[str, Any], indent: str) -> str:
    if name == "array" and "items" in schema:
        item = _type(schema["items"], indent)
        return f"({item})[]" if " " in item else f"{item}[]"
    if name == "object" and "properties" in schema:
        return _object(schema, indent)
    if name == "object" and "additionalProperties" in schema:
        return f"Record<string, {_type(schema['additionalProperties'], indent)}>"
    return _NAMES.get(name, name)


def _object(schema: dict[str, Any], indent: str) -> str:
    deeper = indent + "  "
    lines = list(_members(schema, deeper))
    return "\n".join(["{", *lines, f"{indent}}}"])


def _members(schema: dict[str, Any], indent: str) -> Iterator[str]:
    for name, member in schema["properties"].items():
        optional = "" if name in schema.get("required", ()) else "?"
        yield f"{_comment(member, indent)}{indent}{name}{optional}: {_type(member, indent)};"


def _shape(schema: dict[str, Any], case: Variant) -> dict[str, Any]:
    """One shape, without the tag's comment, which each shape would repeat."""
    shaped = shape(schema, case)
    shaped["properties"][case.tag[0]].pop("description", None)
    return shaped


def _comment(schema: dict[str, Any], indent: str) -> str:
    text = schema.get("description")
    if text is None or "const" in schema:  # its comment would repeat the value
        return ""
    if "default" in schema and "eft out" not in text:  # where the description has no default in words
        text += f" Default: {json.dumps(schema['default'])}."
    lines = textwrap.wrap(text, _WIDTH - len(indent) - 3)
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "\n".join([f"{indent}/**", *(f"{indent} * {line}" for line in lines), f"{indent} */\n"])


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
