"""The workflow that a command line says: a path, or a name that is looked for below the working folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowcage.host.cli.console import FilePath
from flowcage.host.cli.names import completion
from flowcage.host.cli.names.places import Hit, files_in, hits, names, places
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.host.workflows.names import SUFFIXES, file_paths, is_name

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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
        found = next(iter(hits(value)), [])
        if (wrong := wrong_with(value, found)) is not None:
            self.fail(wrong, param, ctx)
        return Path(found[0].path) if found else path

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[Any]]:
        """The names, and files."""
        found = ((name, hits(name)) for name in names())
        told = [(name, each[0][0].path) for name, each in found if each]
        return [completion.files(incomplete), *completion.items(told, incomplete)]

    def _is_there(self, path: Path) -> bool:
        # Not of pathlib: there a name that is too long for the system is an error.
        return os.path.exists(path) and (self._or_folder or not os.path.isdir(path))


def wrong_with(name: str, found: list[Hit]) -> str | None:
    """Why a name cannot be used, of which these files are in the first folder that has any."""
    if len(found) > 1:
        return f"{name!r} is ambiguous: there are {' and '.join(each.path for each in found)}; name one"
    if found and found[0].target is not None:
        path, target = found[0]
        return (
            f"{name!r} would be {path}, a symbolic link that leads out of the project, to {target}; "
            "if that is what you want, write the path"
        )
    return None


def missing(path: Path) -> str:
    """The message about a workflow that is not there."""
    word = str(path)
    if word.startswith(".") and (hidden := _hidden(word)):
        return f"{path}: no such file; {hidden} is hidden, and no name finds it: write its path"
    if not is_name(word):
        return f"{path}: no such file{_alike_beside(path)}"
    if path.name.endswith(SUFFIXES):
        return f"{path}: no such file{_elsewhere(path.name)}"
    known = names()
    folders = ", ".join(place.path for place in places()[1:])
    what = f"{path}: no such file, nor {path}.js or {path}.mjs here, in {folders}"
    return what + (did_you_mean(path.name, known) or _listed("the workflows there are", known))


def _hidden(word: str) -> str | None:
    paths = [each for place in places() for each in file_paths(place.path, word)] if "/" not in word else []
    return next((os.path.join(".", each) for each in paths if os.path.isfile(each)), None)


def folder_instead(path: Path) -> str:
    """The message about a folder in the place of a workflow."""
    inside = [Path(each).name for each in files_in(str(path))]
    return f"{path}: is a folder; name a workflow file{_listed('in it are', inside)}"


def _alike_beside(path: Path) -> str:
    others = [each for each in files_in(str(path.parent)) if each != str(path)]  # a dangling link is listed
    return _did_you_mean(path.name, others)


def _elsewhere(name: str) -> str:
    """Where a file lies that was named without its folder, or one with a name like it."""
    files = [each for place in places() for each in files_in(place.path)]
    same = [each for each in files if Path(each).name == name]
    return f"; there is {' and '.join(same)}" if same else _did_you_mean(name, files)


def _did_you_mean(name: str, files: list[str]) -> str:
    """As `did_you_mean`, which compares names alone here, and tells paths."""
    hint = did_you_mean(name, [Path(each).name for each in files])
    for each in files:  # the folder would make all of them alike
        hint = hint.replace(repr(Path(each).name), repr(each))
    return hint


def _listed(what: str, found: list[str]) -> str:
    if not found:
        return ""
    more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
    return f"; {what} {', '.join(found[:_MOST_LISTED])}{more}"
