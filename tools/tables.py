"""Schemas as Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flowcage.schemas.loader import HOST_SCHEMA_BASE
from flowcage.schemas.registry import lookup
from tools.variants import Variant, shape, variants

# Shared definitions with a heading of their own. Limits have a section; the rest is described where it is
# used.
PARTS = (
    "event",
    "call",
    "request",
    "execRequest",
    "resolution",
    "settlement",
    "budget",
    "diagnostic",
    "drained",
    "failure",
    "peer",
    "layer",
)
# The same of the host protocol.
HOST_PARTS = ("run", "outcome", "runOptions", "spent", "tokenUsage", "event", "explanation", "call")


def members(schema: dict[str, Any], title: str) -> Iterator[str]:
    """The members of an object, one in a row. Those that only one shape has begin with its condition."""
    if "$ref" in schema:
        beside = list(_rows(schema, ""))
        yield from (f"It has the members of {_type(schema)}{', and:' if beside else '.'}", "")
        yield from (*table((title, "Type", "Meaning"), beside), "") if beside else ()
        return
    found = list(_rows(schema, ""))
    cases = variants(schema)
    own = [shape({"properties": {}, "required": []}, case) for case in cases]
    bare = [list(_rows(schema, "")) for schema in own]
    found += [row for row in (bare[0] if bare else []) if all(row in rows for rows in bare)]
    for case, schema, rows in zip(cases, own, bare, strict=True):
        told = _rows(schema, f"Where `{'.'.join(case.tag)}` is `{case.value}`: ")
        found += [row for row, plain in zip(told, rows, strict=True) if plain not in found]
    if found:
        yield from (*table((title, "Type", "Meaning"), found), "")


def _rows(schema: dict[str, Any], condition: str) -> Iterator[tuple[str, ...]]:
    for name, member in schema.get("properties", {}).items():
        if "const" not in member:
            required = "" if name in schema.get("required", ()) else "?"
            yield f"`{name}{required}`", _type(member), condition + _meaning(member)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _reference(schema["$ref"])
    if "enum" in schema:
        return ", ".join(f'`"{option}"`' for option in schema["enum"])
    types = schema.get("type", "any JSON")
    return " or ".join(_of_type(name, schema) for name in ([types] if isinstance(types, str) else types))


def _of_type(name: str, schema: dict[str, Any]) -> str:
    if name == "array" and "items" in schema:
        return f"array of {_type(schema['items'])}"
    if name == "object" and "additionalProperties" in schema:
        return f"object of {_type(schema['additionalProperties'])}"
    if name == "integer" and "minimum" in schema:
        return f"integer from {schema['minimum']}"
    return name


def _reference(reference: str) -> str:
    """A link to the heading of a shared definition, or its type where it has none.

    The host protocol refers by whole addresses, to its own definitions and to those of the child's, which
    have their headings on another page.
    """
    name = reference.rpartition("/")[2]
    if reference.startswith(HOST_SCHEMA_BASE):
        return f"[{name}](#{name.lower()})" if name in HOST_PARTS else _type(lookup(reference))
    page = "protocol.md" if reference.startswith("https:") else ""
    if name in PARTS:
        return f"[{name}]({page}#{name.lower()})"
    if name in ("limits", "effectiveLimits", "runLimits"):
        return f"[limits]({page}#limits)"
    return _type(lookup(reference))


def _meaning(schema: dict[str, Any]) -> str:
    target: dict[str, Any] = {}
    if "$ref" in schema:
        target = lookup(schema["$ref"])
    text = str(schema.get("description") or target.get("description", ""))
    default = schema.get("default", target.get("default"))
    if default is None or "eft out" in text:
        return text
    return f"{text} Left out: `{json.dumps(default)}`."


def error_row(variant: Variant) -> tuple[str, ...]:
    """The row of one kind of error: kind, code, meaning, members of its data."""
    properties = variant.schema["properties"]
    data = properties.get("data", {})
    more = [
        f"`{name}{'' if name in data.get('required', ()) else '?'}`" for name in data.get("properties", {})
    ]
    if "$ref" in data:
        more = [_type(data)]
    return (
        f"`{variant.value}`",
        str(properties["code"]["const"]),
        variant.schema["description"],
        ", ".join(more),
    )


def number(value: int | None) -> str:
    """A number with its thousands apart; a dash for none."""
    return "–" if value is None else f"{value:,}"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table."""
    yield _row(head)
    yield "|---" * len(head) + "|"
    yield from map(_row, rows)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
