"""The workflow that a command line says: a path, or a name that is looked for below the working folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from flowcage.host.cli.console import FilePath
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.host.workflows.beneath import file_names
from flowcage.host.workflows.names import (
    MAX_LISTED_NAMES,
    SUFFIXES,
    WORKFLOWS_FOLDER,
    file_paths,
    is_name,
    names_in,
)

# In this order, as `workflow('name')` looks beside its caller first.
FOLDERS = (".", "workflows", WORKFLOWS_FOLDER)
# Names that are listed where none is like the one that was typed.
_MOST_LISTED = 8


class WorkflowPath(FilePath):
    """An argument that is a workflow's path, ``-`` for stdin, or its name.

    What lies under the word as it was typed comes before a name.

    Args:
        or_folder: whether a folder counts, too.
    """

    def __init__(self, *, or_folder: bool = False) -> None:
        super().__init__(allow_dash=True)
        self._or_folder = or_folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Find the file of a name; a word under which nothing is found stays what it is."""
        path: Path = super().convert(value, param, ctx)
        if not isinstance(value, str) or value == "-" or not is_name(value) or self._is_there(path):
            return path
        found = files_of(value)
        if len(found) > 1:
            self.fail(f"{value!r} is ambiguous: there are {' and '.join(found)}; name one", param, ctx)
        return Path(found[0]) if found else path

    def _is_there(self, path: Path) -> bool:
        # Not of pathlib: there a name that is too long for the system is an error.
        return os.path.exists(path) and (self._or_folder or not os.path.isdir(path))


def files_of(name: str) -> list[str]:
    """The files of a name in the first folder that has any."""
    for folder in FOLDERS:
        if found := [each for each in file_paths(folder, name) if os.path.isfile(each)]:
            return found
    return []


def missing(path: Path) -> str:
    """The message about a workflow that is not there."""
    if not is_name(str(path)):
        return f"{path}: no such file{_alike_beside(path)}"
    if path.name.endswith(SUFFIXES):
        return f"{path}: no such file{_elsewhere(path.name)}"
    names = names_in(Path(), FOLDERS)
    what = f"{path}: no such file, nor {path}.js or {path}.mjs here, in {FOLDERS[1]} or in {FOLDERS[2]}"
    return what + (did_you_mean(path.name, names) or _listed("the workflows there are", names))


def folder_instead(path: Path) -> str:
    """The message about a folder in the place of a workflow."""
    return f"{path}: is a folder; name a workflow file" + _listed(
        "in it are", [each.name for each in _files_in(path)]
    )


def _alike_beside(path: Path) -> str:
    others = [each for each in _files_in(path.parent) if each != path]  # a link that leads nowhere is listed
    return _did_you_mean(path.name, {str(each): each for each in others})


def _elsewhere(name: str) -> str:
    """Where a file lies that was named without its folder, or one with a name like it."""
    files = {str(each): each for folder in FOLDERS for each in _files_in(Path(folder))}
    same = [path for path, each in files.items() if each.name == name]
    if same:
        return f"; there is {' and '.join(same)}"
    return _did_you_mean(name, files)


def _did_you_mean(name: str, files: dict[str, Path]) -> str:
    """As `did_you_mean`, which compares names alone here, and tells paths."""
    hint = did_you_mean(name, [each.name for each in files.values()])
    for path, each in files.items():  # the folder would make all of them alike
        hint = hint.replace(repr(each.name), repr(path))
    return hint


def _files_in(folder: Path) -> list[Path]:
    listed = sorted(file_names(folder, ".", MAX_LISTED_NAMES))
    return [folder / name for name in listed if name.endswith(SUFFIXES) and is_name(name)]


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"; {what} {', '.join(names[:_MOST_LISTED])}{more}"
