"""The schema documents and the types for workflow authors, as they are published."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

SCHEMA_BASE = "https://flowcage.dev/schemas/1.0/"
_PARAMS = ".params"
_FOLDER = os.path.dirname(__file__)
_SUFFIX = ".json"


@cache
def names() -> list[str]:
    """Every schema's name in order: ``common``, ``error``, and ``METHOD.params`` and ``METHOD.result``."""
    files = (file for file in os.listdir(_FOLDER) if file.endswith(_SUFFIX))
    return sorted(file.removesuffix(_SUFFIX) for file in files)


def methods() -> list[str]:
    """Every method of the child, in order of their names."""
    return [name.removesuffix(_PARAMS) for name in names() if name.endswith(_PARAMS)]


def protocol_version() -> str:
    """The version of the contract that the schemas describe: it is in each ``$id``."""
    return SCHEMA_BASE.rstrip("/").rpartition("/")[2]


def text(name: str) -> str:
    """One schema's file.

    Args:
        name: one of `names`.

    Raises:
        KeyError: there is no such schema.
    """
    if name not in names():
        raise KeyError(name)
    return _read(name + _SUFFIX)


@cache
def document(name: str) -> dict[str, Any]:
    """One schema, read once and shared: do not change it.

    Args:
        name: one of `names`.

    Raises:
        KeyError: there is no such schema.
    """
    loaded: dict[str, Any] = json.loads(text(name))
    return loaded


def author_types() -> str:
    """The TypeScript declarations of what a workflow finds: the text of ``workflow.d.ts``."""
    return _read("workflow.d.ts")


def form(file: str) -> str:
    """The whole contract in another form.

    Args:
        file: name of a file in ``forms``, such as ``openrpc.json``.
    """
    return _read(os.path.join("forms", file))


def _read(path: str) -> str:
    with open(os.path.join(_FOLDER, path), encoding="utf-8", newline="") as file:
        return file.read()
