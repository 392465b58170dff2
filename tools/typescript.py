"""Generates TypeScript types of the messages, ``protocol.d.ts`` and ``host-protocol.d.ts``, from the schemas.

It supports the keywords that the schemas use and raises for any other, so that no rule is dropped unnoticed.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from flowcage.schemas.host import METHODS
from flowcage.schemas.loader import Protocol, document, methods, names
from tools.definitions import definitions, named
from tools.openrpc import version
from tools.variants import Variant, shape, variants

_WIDTH = 110
_NAMES = {"array": "unknown[]", "integer": "number", "object": "Record<string, unknown>"}
# Keywords that types cannot express, or that become comments.
_TELLING = {"$schema", "$id", "title", "description", "default", "examples"}
_BOUNDING = {"minimum", "maximum", "minLength", "minItems"}
_SHAPING = {"$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items"}
_CASES = {"if", "then", "else", "allOf"}


# By protocol: what its messages are called, and the options that print them.
_HEADS = {
    "child": ("protocol", "--typescript"),
    "host": ("host protocol", "--protocol host --typescript"),
}
_SENDERS = {"client": "Every request of the client", "host": "Every request of the host"}


def declarations(protocol: Protocol = "child") -> str:
    """The text of ``protocol.d.ts``, or of ``host-protocol.d.ts``.

    Raises:
        ValueError: a schema uses a keyword that is not supported here.
    """
    types = {_pascal(name): schema for name, schema in definitions(protocol).items()}
    types["ErrorObject"] = document("error", protocol)
    if protocol == "host":
        types["ClientErrorObject"] = document("client.error", protocol)
    for method in methods(protocol):
        for part in ("params", "result"):
            if f"{method}.{part}" in names(protocol):
                types[_pascal(method) + _pascal(part)] = document(f"{method}.{part}", protocol)
    ends = _methods() if protocol == "child" else _methods_of_host()
    return "\n".join([_head(protocol), *(_declaration(*item) for item in types.items()), ends])


def _head(protocol: Protocol) -> str:
    called, options = _HEADS[protocol]
    return (
        f"// Messages of the flowcage {called} {version(protocol)}. "
        f"Made by `flowcage schema {options}`: do not edit.\n"
        "// Members that a reader does not know are ignored. Integers have no fraction and no exponent.\n"
    )


def _methods() -> str:
    said = "Every method of the child: what it takes and what it answers."
    return "\n".join(
        [
            *_interface("Methods", said, list(map(_request, methods()))),
            "",
            "/** What programs branch on when a request was refused or a run failed. */",
            "export type ErrorKind = ErrorObject['data']['kind'];",
            "",
        ]
    )


def _methods_of_host() -> str:
    lines: list[str] = []
    for sender, said in _SENDERS.items():
        own = {name: method for name, method in METHODS.items() if method.sender == sender}
        requests = [_request(name) for name, method in own.items() if method.is_answered]
        told = [
            f"  '{name}': {_pascal(name)}Params;" for name, method in own.items() if not method.is_answered
        ]
        name = _pascal(sender)
        lines += _interface(f"{name}Requests", f"{said}: what it takes and what it is answered.", requests)
        lines += _interface(f"{name}Notifications", f"{said.replace('request', 'notification')}.", told)
    return "\n".join(
        [
            *lines,
            "/** What programs branch on when a request of theirs was refused. */",
            "export type ErrorKind = ErrorObject['data']['kind'];",
            "",
        ]
    )


def _interface(name: str, said: str, lines: list[str]) -> list[str]:
    return [f"/** {said} */", f"export interface {name} {{", *lines, "}"]


def _request(name: str) -> str:
    key = f"'{name}'" if "." in name else name
    return f"  {key}: {{ params: {_pascal(name)}Params; result: {_pascal(name)}Result }};"


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
    name = _pascal(named(schema["$ref"]))
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
    return "".join(part[:1].upper() + part[1:] for part in name.split("."))


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
