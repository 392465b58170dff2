"""The lazy import of public names: each comes from its home module when it is first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load(module: str, homes: Mapping[str, tuple[str, ...]], name: str) -> Any:
    """Import one name of a public module.

    Args:
        module: the name of the public module, for the error.
        homes: its public names, by the module that each is imported from.
        name: the name to import.

    Raises:
        AttributeError: the module has no such name.
    """
    for home, names in homes.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
