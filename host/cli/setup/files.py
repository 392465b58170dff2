"""Both files of settings: the user's and the project's, and which of them may say what.

Whoever clones a repository has not decided to let it say who answers its prompts: ``command:`` would run any
program, another agent would be given the prompts and charge its account, and an agent's table has its
permissions. So those keys of a project's file count only where the user says so, by ``--trust-project`` or by
``trusted`` in the file of their own. Aliases of models always count: a workflow may name any model by itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.setup.places import project_file, user_file, user_file_name
from flowcage.host.cli.setup.settings_file import Settings, read_settings

# Keys of a project's file that need trust, by attribute.
_NEED_TRUST = {"agent": "agent", "agents": "agents", "routes": "route"}

# As after su and sudo, which may leave the variables of whoever called them.
_OF_ANOTHER = "; if HOME or XDG_CONFIG_HOME is a folder of another user, set it to one of your own"


class Files(NamedTuple):
    """The settings that count.

    Attributes:
        project, user: None where there is no such file, or it is not to count.
        is_trusted: whether all of the project's counts.
    """

    project: Settings | None
    user: Settings | None
    is_trusted: bool

    @property
    def all(self) -> tuple[Settings, ...]:
        """Those that there are; an earlier one has precedence."""
        return tuple(each for each in (self.project, self.user) if each is not None)

    def untrusted_keys(self, *, agent_is_given: bool) -> list[str]:
        """Keys of the project's file that would count, and may not.

        Args:
            agent_is_given: whether ``--agent`` says who answers, so that ``agent`` of the file says nothing.
        """
        if self.project is None or self.is_trusted:
            return []
        keys = [key for name, key in _NEED_TRUST.items() if getattr(self.project, name)]
        return [key for key in keys if key != "agent" or not agent_is_given]


def find_files(folder: Path, *, trusts: bool = False, ignores_project: bool = False) -> Files:
    """Read the user's file and that of the project that a folder is in.

    Args:
        folder: of the workflow.
        trusts: whether the user trusts the project, whatever their file says.
        ignores_project: whether the project's file is not read.

    Raises:
        InputError: a file cannot be read, or has an unknown key; or the project's has one that only the
            user's may have.
    """
    own = user_file()
    user = None if own is None else _read(own, follows_links=True, denied=_OF_ANOTHER)
    path = None if ignores_project else project_file(folder)
    is_trusted = path is not None and (trusts or _is_trusted(path, user))
    project = None if path is None else _read(path, follows_links=is_trusted)
    if project is not None and project.trusted:
        raise InputError(f"{project.path}: trusted: only your own file may say so, {user_file_name()}")
    return Files(project, user, is_trusted)


def require_trust(files: Files, *, agent_is_given: bool) -> None:
    """Refuse a project that says who answers, where nobody trusts it.

    Raises:
        InputError: it names the keys and the ways out.
    """
    keys = files.untrusted_keys(agent_is_given=agent_is_given)
    if keys and files.project is not None:
        what = " and ".join(f"`{key}`" for key in keys)
        trusted = f'trusted = ["{files.project.path.parent}"]'
        raise InputError(
            f"{files.project.path}: {what} would say who answers agent(), with what permissions, and so "
            "counts only in a project that you trust. Give --trust-project, or --ignore-project to go "
            f"without the file; or for always, {trusted} in {user_file_name()}"
        )


def _read(path: Path, *, follows_links: bool, denied: str = "") -> Settings | None:
    try:
        return read_settings(path, follows_links=follows_links)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise InputError(f"{path}: {error.strerror}{denied}") from None


def _is_trusted(path: Path, user: Settings | None) -> bool:
    folders = () if user is None else user.trusted
    real = Path(os.path.realpath(path.parent))
    return any(real.is_relative_to(os.path.realpath(os.path.expanduser(folder))) for folder in folders)
