"""Reads the published files: the schemas, their other forms, and the types for workflow authors."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any, Literal, TypeAlias

SCHEMA_BASE = "https://flowcage.dev/schemas/1.0/"
HOST_SCHEMA_BASE = "https://flowcage.dev/schemas/host/1.0/"
_PARAMS = ".params"
_FOLDER = os.path.dirname(__file__)
_SUFFIX = ".json"

# child: between a host and its child. host: between a host and programs in any language.
Protocol: TypeAlias = Literal["child", "host"]
PROTOCOLS: tuple[Protocol, ...] = ("child", "host")
_FOLDERS = {"child": _FOLDER, "host": os.path.join(_FOLDER, "host")}


@cache
def names(protocol: Protocol = "child") -> list[str]:
    """The names of all schemas, sorted: ``common``, ``error``, ``METHOD.params`` and ``METHOD.result``."""
    files = (file for file in os.listdir(_FOLDERS[protocol]) if file.endswith(_SUFFIX))
    return sorted(file.removesuffix(_SUFFIX) for file in files)


def methods(protocol: Protocol = "child") -> list[str]:
    """The names of all methods of a protocol, sorted."""
    return [name.removesuffix(_PARAMS) for name in names(protocol) if name.endswith(_PARAMS)]


def protocol_version() -> str:
    """The version of the contract that the schemas describe, which is in each ``$id``."""
    return SCHEMA_BASE.rstrip("/").rpartition("/")[2]


def text(name: str, protocol: Protocol = "child") -> str:
    """The text of one schema.

    Args:
        name: one of `names`.
        protocol: whose it is.

    Raises:
        KeyError: there is no such schema.
    """
    if name not in names(protocol):
        raise KeyError(name)
    return _read(os.path.join(_FOLDERS[protocol], name + _SUFFIX))


@cache
def document(name: str, protocol: Protocol = "child") -> dict[str, Any]:
    """One schema, parsed. It is shared by all callers and must not be changed.

    Args:
        name: one of `names`.
        protocol: whose it is.

    Raises:
        KeyError: there is no such schema.
    """
    loaded: dict[str, Any] = json.loads(text(name, protocol))
    return loaded


def author_types() -> str:
    """The text of ``workflow.d.ts``: TypeScript declarations of the globals of a workflow."""
    return _read("workflow.d.ts")


def form(file: str) -> str:
    """The text of the whole contract in another form.

    Args:
        file: name of a file in ``forms``, such as ``openrpc.json``.
    """
    return _read(os.path.join("forms", file))


def _read(path: str) -> str:
    with open(os.path.join(_FOLDER, path), encoding="utf-8", newline="") as file:
        return file.read()
