"""Where settings and types of agents are looked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from flowcage.host.agents.types.folders import AgentTypes, TypesFolder

FILE_NAME = "flowcage.toml"
_AGENTS = (Path(".flowcage", "agents"), Path(".claude", "agents"))


def user_folder() -> Path | None:
    """The folder of the user's own settings; None for a user without a home.

    For one, a path would be relative, and so name a folder of whoever made the working folder.
    """
    try:
        folder = Path(platformdirs.user_config_path("flowcage"))
    except RuntimeError:  # what later versions of platformdirs say of it
        return None
    return folder if folder.is_absolute() else None


def user_file() -> Path | None:
    """The file of the user's own settings, which need not be there."""
    folder = user_folder()
    return None if folder is None else folder / FILE_NAME


def user_file_name() -> str:
    """That file, for messages."""
    return str(user_file() or f"{FILE_NAME} of your settings folder, for which HOME has to be set")


def project_folders(folder: Path) -> list[Path]:
    """A folder and those above it, up to the root of its repository; the folder alone where it is in none."""
    here = Path(os.path.abspath(folder))
    above = [here, *here.parents]
    for count, each in enumerate(above, 1):
        if os.path.lexists(each / ".git"):
            return above[:count]
    return [here]


def project_file(folder: Path) -> Path | None:
    """The nearest file of settings of the project that a folder is in."""
    files = (each / FILE_NAME for each in project_folders(folder))
    return next((file for file in files if os.path.lexists(file)), None)


def agent_types(folder: Path) -> AgentTypes:
    """The types of agents that a workflow in this folder may name.

    Those of its project have precedence, then those of the project that the command is run in, where the
    agents work, and then the user's own.
    """
    from flowcage.host.agents.types.folders import AgentTypes, TypesFolder

    home, settings = Path(os.path.expanduser("~")), user_folder()
    own = [] if settings is None else [settings / "agents"]
    own += [home / ".claude" / "agents"] if home.is_absolute() else []
    projects = [*_of_project(folder), *_of_project(Path.cwd())]
    found = [each for each in projects if each.path not in own]  # a home may be a repository
    return AgentTypes(dict.fromkeys([*found, *map(TypesFolder, own)]))


def _of_project(folder: Path) -> list[TypesFolder]:
    from flowcage.host.agents.types.folders import TypesFolder

    above = project_folders(folder)
    return [TypesFolder(each / agents, within=above[-1]) for each in above for agents in _AGENTS]
