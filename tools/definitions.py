"""The shared definitions of a protocol, by name: its own, and those of the child's that it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowcage.schemas.loader import SCHEMA_BASE, Protocol, document, names

_COMMON = "common.json#/$defs/"


def definitions(protocol: Protocol) -> dict[str, dict[str, Any]]:
    """The definitions.

    Raises:
        ValueError: two of them have the same name.
    """
    own: dict[str, dict[str, Any]] = document("common", protocol)["$defs"]
    if protocol == "child":
        return own
    borrowed = _borrowed([document(name, protocol) for name in names(protocol)])
    if same := own.keys() & borrowed.keys():
        raise ValueError(f"two definitions are called {', '.join(sorted(same))}")
    return own | borrowed


def named(reference: str) -> str:
    """The name of the definition that a reference leads to.

    Raises:
        ValueError: it leads elsewhere.
    """
    place, common, name = reference.rpartition(_COMMON)
    if not common or not SCHEMA_BASE.startswith(place.removesuffix("host/1.0/")):
        raise ValueError(f"{reference} is no shared definition")
    return name


def _borrowed(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of the child's that these documents refer to, and those that these need."""
    of_child = document("common")["$defs"]
    found: dict[str, dict[str, Any]] = {}
    wanted = [named(each) for each in _references(documents) if each.startswith(SCHEMA_BASE + _COMMON)]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = of_child[name]
            wanted += [named(each) for each in _references(of_child[name])]
    return {name: schema for name, schema in of_child.items() if name in found}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for key, inner in value.items():
            if key != "examples":
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
