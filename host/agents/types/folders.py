"""Types of agents from folders of Markdown files.

A type is looked up among the names that the files give themselves. No path is made from the name that a
workflow asks for, so none leads out of the folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from flowcage.host.agents.types.agent_type import BUILT_IN, AgentType, type_of
from flowcage.host.agents.types.errors import UnknownAgentType
from flowcage.host.agents.types.front_matter import FrontMatterError, read_page
from flowcage.host.agents.types.text_file import read_text_file
from flowcage.host.terminal.near_match import did_you_mean
from flowcage.host.terminal.text import cut

MAX_BYTES = 64 * 1024  # of a file
MAX_FILES = 500  # of a folder
MAX_ENTRIES = 5000  # of it and the folders in it, whatever they are
MAX_LEVELS = 5
_SHOWN = 20  # names in a message
_MESSAGE = 400  # characters about what is wrong with a file, which may quote it


class TypesFolder(NamedTuple):
    """Where types are looked for.

    Attributes:
        path: of the folder; it need not be there.
        within: the folder that no symbolic link may lead out of, such as a repository that is not trusted;
            None for a folder of the user's own.
    """

    path: Path
    within: Path | None = None


class AgentTypes:
    """The types of some folders, and the built-in ones. The files are read when the first type is asked for.

    Args:
        folders: an earlier one has precedence, and each before the built-in ones.
    """

    def __init__(self, folders: Iterable[TypesFolder] = ()) -> None:
        self._folders = tuple(folders)

    def find(self, name: str) -> AgentType:
        """A type by its name.

        Raises:
            UnknownAgentType: there is none, or what it says cannot be followed.
        """
        found = self._all.get(name)
        if isinstance(found, AgentType):
            return found
        if found is not None:
            raise UnknownAgentType(f"agentType {name!r} cannot be used: {found}")
        known = self.names
        shown = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
        raise UnknownAgentType(
            f"there is no agentType {name[:80]!r}{did_you_mean(name[:80], known)}; known are {shown}. "
            "Others are files such as .flowcage/agents/NAME.md or .claude/agents/NAME.md"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Those that can be used."""
        return tuple(sorted(name for name, found in self._all.items() if isinstance(found, AgentType)))

    @cached_property
    def _all(self) -> dict[str, AgentType | str]:
        """By name: the type, or why its file cannot be used."""
        found: dict[str, AgentType | str] = {}
        for folder in self._folders:
            found = {**_read(folder), **found}
        return {**{kind.name: kind for kind in BUILT_IN}, **found}


def _read(folder: TypesFolder) -> dict[str, AgentType | str]:
    found: dict[str, AgentType | str] = {}
    for file in _files(folder):
        # Workflows read what is wrong with it: where the folder lies is not their business.
        shown = os.path.relpath(file, folder.path.parent.parent)
        kind = _type(file, shown, follows_links=folder.within is None)
        name = kind.name if isinstance(kind, AgentType) else file.stem
        found[name] = f"there are two files for it, {shown} is one" if name in found else kind
    return found


def _type(file: Path, shown: str, *, follows_links: bool) -> AgentType | str:
    try:
        return type_of(read_page(read_text_file(file, MAX_BYTES, follows_links=follows_links)), file.stem)
    except OSError as error:
        return f"{shown}: {error.strerror}"
    except UnicodeDecodeError as error:
        return f"{shown}: is not UTF-8: {error.reason} at byte {error.start}"
    except FrontMatterError as error:
        return f"{shown}:{cut(str(error), _MESSAGE)}"
    except ValueError as error:
        return f"{shown}: {cut(str(error), _MESSAGE)}"


def _files(folder: TypesFolder) -> list[Path]:
    """The Markdown files of a folder, by name."""
    if folder.within is not None and not _is_within(folder.path, folder.within):
        return []
    entries = islice(_walk(folder.path, MAX_LEVELS, folder.within is None), MAX_ENTRIES)
    files = (Path(entry.path) for entry in entries if entry.name.endswith(".md"))
    return sorted(islice(files, MAX_FILES))


def _is_within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _walk(folder: str | Path, levels: int, follows_links: bool) -> Iterator[os.DirEntry[str]]:
    """What is in a folder and in those below it."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry
                if levels > 1 and entry.is_dir(follow_symlinks=follows_links):
                    yield from _walk(entry.path, levels - 1, follows_links)
    except OSError:
        return
