"""Names of workflows: what ``workflow('name')`` and a command line may say in the place of a path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from flowcage.host.workflows.beneath import file_names

# Where names are looked for below a folder, after the folder itself, or that of the caller.
WORKFLOWS_FOLDERS = ("workflows", ".flowcage/workflows", ".claude/workflows")
SUFFIXES = (".js", ".mjs")
MAX_NAME_CHARACTERS = 100
# Names that a near match is looked for in; somebody else may have filled the folder.
MAX_LISTED_NAMES = 200


class NamedFolder(NamedTuple):
    """A folder elsewhere in which names are looked for.

    Attributes:
        root: nothing outside of it is read.
        folder: in which the files lie, relative to the root.
    """

    root: Path
    folder: str = "."


def is_name(text: str) -> bool:
    """Whether ``workflow('…')`` may look for it: one step of a path, and not a hidden one."""
    return 0 < len(text) <= MAX_NAME_CHARACTERS and not text.startswith(".") and not set(text) & set("/\\\0")


def stem(name: str) -> str:
    """A file's name as the name of its workflow."""
    return os.path.splitext(name)[0] if name.endswith(SUFFIXES) else name


def file_paths(folder: str, name: str) -> list[str]:
    """The files in a folder that a name may stand for."""
    return [os.path.normpath(f"{folder}/{name}{suffix}") for suffix in SUFFIXES]


def names_in(root: Path, folders: Iterable[str]) -> list[str]:
    """The names of the workflows in folders below the root, each once, in order."""
    listed = (each for folder in folders for each in file_names(root, folder, MAX_LISTED_NAMES))
    return sorted({stem(name) for name in listed if name.endswith(SUFFIXES) and is_name(name)})
