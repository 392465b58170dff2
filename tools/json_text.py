"""JSON text in the two layouts of this repository's files."""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 109
_STEP = 2


def json_text(value: Any) -> str:
    """JSON text with one member or item on each line."""
    return json.dumps(value, indent=_STEP, ensure_ascii=False) + "\n"


def compact_json_text(value: Any) -> str:
    """JSON text in the layout of ``schemas/common.json``: what fits on one line is on one."""
    return _broken(value, 0) + "\n"


def _fitted(value: Any, indent: int, beside: int) -> str:
    """A value on one line, if it fits `_WIDTH` with `beside` characters on the same line; else on several."""
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
