"""All schemas in one document, for those who would rather load one file than twenty.

A bundle as JSON Schema 2020-12 describes it (Core, 9.3.1): each schema stands unchanged under ``$defs`` and
keeps its ``$id``, so that every reference means what it meant. Validate against
``{"$ref": "https://flowcage.dev/schemas/1.0/start.params.json"}`` once the bundle is loaded.
"""

from __future__ import annotations

from typing import Any

from flowcage.schemas.loader import SCHEMA_BASE, document, names


def bundle() -> dict[str, Any]:
    """The bundle; its own ``$id`` is ``bundle.json``. It allows any value: what counts is what it holds."""
    return {
        "$schema": document("common")["$schema"],
        "$id": f"{SCHEMA_BASE}bundle.json",
        "title": "The flowcage protocol",
        "description": "Every message of the wire contract. Refer to the schemas inside by their $id.",
        "$defs": {name: document(name) for name in names()},
    }
