"""A registry of all schemas by their ``$id``, so that references resolve without fetching anything."""

from __future__ import annotations

from functools import cache
from typing import Any

from referencing import Registry, Resource

from flowcage.schemas.loader import PROTOCOLS, SCHEMA_BASE, document, names


@cache
def registry() -> Registry[Any]:
    """The registry, built once."""
    resources = [Resource.from_contents(document(name, each)) for each in PROTOCOLS for name in names(each)]
    loaded: Registry[Any] = resources @ Registry()
    return loaded.crawl()


def lookup(reference: str) -> Any:
    """The schema that a ``$ref`` refers to, relative to the base that all documents share."""
    return registry().resolver(SCHEMA_BASE).lookup(reference).contents
