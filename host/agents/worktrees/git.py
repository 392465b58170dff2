"""git as a program, with nothing of the caller's environment and no program of the repository's own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from flowcage.host.agents.programs.program import ProgramError, ProgramNotStarted, output_of

# The first with `worktree remove` that refuses a worktree with changes in all cases that are asked for here.
OLDEST = (2, 20)
# A checkout of a large repository takes minutes.
_TIMEOUT_S = 900.0
# Settings that a repository could run programs with, or ask a person; and those that would hide a change.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_OPTIONS = tuple([word for setting in _SETTINGS for word in ("-c", setting)])


class GitError(Exception):
    """git could not do it.

    Attributes:
        words: what git wrote about it; it may name folders of the host.
    """

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words or message


async def git(folder: str, *arguments: str, settings: tuple[str, ...] = ()) -> str:
    """Run git in a folder, and return what it writes.

    Args:
        folder: to work in.
        arguments: of git, beginning with the command.
        settings: such as ``user.name=somebody``.

    Raises:
        GitError: it is missing, failed, or took too long.
    """
    own = [word for setting in settings for word in ("-c", setting)]
    argv = ("git", "-C", folder, "--no-pager", *_OPTIONS, *own, *arguments)
    try:
        output = await output_of(argv, b"", environment=environment(), timeout_s=_TIMEOUT_S)
    except ProgramNotStarted as error:
        raise GitError(f"git {error}") from None
    except ProgramError as error:
        raise GitError(f"git {arguments[0]} failed", str(error)) from None
    return os.fsdecode(output)


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The caller's without what tells git of another repository, as a hook that started flowcage has."""
    kept = {name: value for name, value in given.items() if not name.startswith("GIT_")}
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


async def require_git() -> None:
    """Raises `GitError` where git is missing or too old."""
    told = await git(os.sep, "version")
    found = re.search(r"(\d+)\.(\d+)", told)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise GitError(f"git {version[0]}.{version[1]} is too old; it needs {needed} or newer")
