"""How the public modules give out their names: each is imported from its home when it is first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load(door: str, homes: Mapping[str, tuple[str, ...]], name: str) -> Any:
    """What a public module has by this name.

    Args:
        door: the public module's own name.
        homes: its names, by the module that each is imported from.
        name: which was asked for.

    Raises:
        AttributeError: `door` has no such name.
    """
    for home, names in homes.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {door!r} has no attribute {name!r}")
