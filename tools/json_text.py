"""JSON as the repository writes it."""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 109
_STEP = 2


def json_text(value: Any) -> str:
    """With one member or item a line."""
    return json.dumps(value, indent=_STEP, ensure_ascii=False) + "\n"


def compact_json_text(value: Any) -> str:
    """As ``schemas/common.json`` is written by hand: what fits on a line stands on one."""
    return _broken(value, 0) + "\n"


def _fitted(value: Any, indent: int, beside: int) -> str:
    """On one line, if that is no longer than `_WIDTH` with the `beside` characters that share it."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or indent + beside + len(flat) <= _WIDTH:
        return flat
    return _broken(value, indent)


def _broken(value: dict[str, Any] | list[Any], indent: int) -> str:
    deeper = indent + _STEP
    heads = [f"{json.dumps(name)}: " for name in value] if isinstance(value, dict) else [""] * len(value)
    items = list(value.values()) if isinstance(value, dict) else value
    commas = [1] * (len(items) - 1) + [0]
    lines = [
        " " * deeper + head + _fitted(item, deeper, len(head) + comma)
        for head, item, comma in zip(heads, items, commas, strict=True)
    ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])
