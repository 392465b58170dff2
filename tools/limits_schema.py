"""Generates the limits in ``schemas/common.json`` from the table in ``protocol/limits.py``."""

from __future__ import annotations

import json
from typing import Any

from flowcage.protocol.limits import (
    FIELD_NAMES,
    LOWERABLE_WIRE_NAMES,
    MAX_LIMIT,
    REQUIRED_WIRE_NAMES,
    TABLE,
    WIRE_NAMES,
    Limits,
)
from tools.json_text import compact_json_text


def with_limits(text: str) -> str:
    """The text of ``common.json`` with its limits generated; all else, written by hand, is kept."""
    document: dict[str, Any] = json.loads(text)
    definitions = document["$defs"]
    definitions["limits"]["properties"] = {WIRE_NAMES[name]: _schema(name) for name in TABLE}
    definitions["effectiveLimits"]["required"] = list(REQUIRED_WIRE_NAMES)
    definitions["runLimits"]["properties"] = {
        wire: {name: value for name, value in _schema(FIELD_NAMES[wire]).items() if name != "default"}
        for wire in LOWERABLE_WIRE_NAMES
    }
    return compact_json_text(document)


def _schema(name: str) -> dict[str, Any]:
    limit, default = TABLE[name], Limits._field_defaults[name]
    return {
        "title": limit.title,
        "description": limit.description,
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        **({"default": default} if default else {}),
        "examples": [limit.example],
    }
