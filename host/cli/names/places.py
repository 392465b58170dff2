"""The folders in which the command line looks for workflows by name: the project's, then the user's.

A project is whatever was checked out, so no symbolic link in it may lead a name out of it: ``run review``
would run a file that nobody named. The user's own folders may hold links.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flowcage.host.cli.setup.places import project_folders, user_folder
from flowcage.host.workflows.names import (
    MAX_LISTED_NAMES,
    SUFFIXES,
    WORKFLOWS_FOLDERS,
    NamedFolder,
    file_paths,
    is_name,
    stem,
)

# Below the working folder, in this order.
FOLDERS = (".", *WORKFLOWS_FOLDERS)


class Place(NamedTuple):
    """One folder.

    Attributes:
        path: relative to the working folder, or absolute for the user's.
        within: no link may lead out of it; None for a folder of the user.
    """

    path: str
    within: Path | None = None


class Hit(NamedTuple):
    """The file of a name.

    Attributes:
        path: as it is opened and told.
        target: where a symbolic link leads that is not followed; None for any other file.
    """

    path: str
    target: str | None = None


def places() -> list[Place]:
    """Where names are looked for from the working folder, each folder once."""
    own = user_places()
    try:
        project = project_folders(Path())
    except OSError:  # somebody has removed it
        return own
    top = project[-1]
    paths = [*FOLDERS]
    paths += [os.path.relpath(above / each) for above in project[1:] for each in WORKFLOWS_FOLDERS]
    users = {os.path.abspath(place.path) for place in own}  # a home may be the project
    theirs = [Place(path, None if os.path.abspath(path) in users else top) for path in paths]
    found: dict[str, Place] = {}
    for place in (*theirs, *own):
        found.setdefault(os.path.abspath(place.path), place)
    return list(found.values())


def user_places() -> list[Place]:
    """The folders of the user's own workflows, which need not be there."""
    settings, home = user_folder(), Path(os.path.expanduser("~"))
    folders = [] if settings is None else [settings / "workflows"]
    folders += [home / ".claude" / "workflows"] if home.is_absolute() else []
    return [Place(str(folder)) for folder in folders]


def elsewhere() -> tuple[NamedFolder, ...]:
    """What ``workflow('name')`` finds beside what lies below its root: what ``flowcage run NAME`` does."""
    return tuple(
        NamedFolder(Path(os.path.abspath(each.path)))
        if each.within is None
        else NamedFolder(each.within, os.path.relpath(each.path, each.within))
        for each in places()
    )


def hits(name: str) -> list[list[Hit]]:
    """The files of a name by folder, the nearest folder first; folders without one are left out."""
    found = [[_hit(path, place) for path in file_paths(place.path, name) if os.path.isfile(path)]
             for place in places()]  # fmt: skip
    return [each for each in found if each]


def names() -> list[str]:
    """All names there are, in order."""
    return sorted({stem(Path(path).name) for place in places() for path in files_in(place.path)})


def files_in(folder: str) -> Iterator[str]:
    """The files in a folder that have a name, up to a bound."""
    try:
        listed = sorted(os.listdir(folder))
    except OSError:
        return
    named = [each for each in listed if each.endswith(SUFFIXES) and is_name(each)]
    yield from (os.path.normpath(f"{folder}/{each}") for each in named[:MAX_LISTED_NAMES])


def _hit(path: str, place: Place) -> Hit:
    target = os.path.realpath(path)
    if place.within is None or Path(target).is_relative_to(os.path.realpath(place.within)):
        return Hit(path)
    return Hit(path, target)
