"""All schemas in one document, in place of twenty files.

It is a bundle by JSON Schema 2020-12 (Core, 9.3.1): each schema is unchanged under ``$defs`` and keeps its
``$id``, so that every reference resolves as before. Validate against ``{"$ref":
"https://flowcage.dev/schemas/1.0/start.params.json"}`` once the bundle is loaded.
"""

from __future__ import annotations

from typing import Any

from flowcage.schemas.loader import SCHEMA_BASE, document, names


def bundle() -> dict[str, Any]:
    """The bundle, whose own ``$id`` is ``bundle.json``. By itself it allows any value."""
    return {
        "$schema": document("common")["$schema"],
        "$id": f"{SCHEMA_BASE}bundle.json",
        "title": "The flowcage protocol",
        "description": "Every message of the wire contract. Refer to the schemas inside by their $id.",
        "$defs": {name: document(name) for name in names()},
    }
