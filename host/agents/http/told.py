"""Reads what a provider told, which may be any JSON: what is not there, or of another type, is absent."""

from __future__ import annotations

from typing import Any

# Greater counts are none of tokens: they are bytes in a wrong place, or an attack on sums.
_MOST = 2**48
_LONGEST_NAME = 500


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path of names and positions; None where it leads nowhere."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text_at(value: Any, *path: str | int) -> str | None:
    """The text there."""
    found = at(value, *path)
    return found if isinstance(found, str) else None


def name_at(value: Any, *path: str | int) -> str | None:
    """The text there, where it is as short as a name."""
    found = text_at(value, *path)
    return found if found is not None and len(found) <= _LONGEST_NAME else None


def count_at(value: Any, *path: str | int) -> int:
    """The count there; 0 for none."""
    found = at(value, *path)
    return found if type(found) is int and 0 <= found <= _MOST else 0


def each_at(value: Any, *path: str | int) -> list[Any]:
    """The items of the list there."""
    found = at(value, *path)
    return found if isinstance(found, list) else []
