"""Every schema by its ``$id``, so that references resolve here and nothing is ever fetched."""

from __future__ import annotations

from functools import cache
from typing import Any

from referencing import Registry, Resource

from flowcage.schemas.loader import SCHEMA_BASE, document, names


@cache
def registry() -> Registry[Any]:
    """All documents."""
    resources = [Resource.from_contents(document(name)) for name in names()]
    loaded: Registry[Any] = resources @ Registry()
    return loaded.crawl()


def lookup(reference: str) -> Any:
    """What a ``$ref`` in any of the documents means: they all have the same base."""
    return registry().resolver(SCHEMA_BASE).lookup(reference).contents
