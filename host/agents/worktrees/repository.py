"""The repository that worktrees are made from."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from flowcage.host.agents.worktrees.git import GitError, git, require_git


class NoRepository(Exception):
    """No worktree can be made. The message is for the workflow, and names no folder.

    Attributes:
        words: what git wrote about it.
    """

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words


class Repository(NamedTuple):
    """One repository.

    Attributes:
        common: the folder that all of its worktrees share, without links; `name` is made of it.
        folder: where git is run for it.
        below: where the host was in its tree, "" for the top.
        is_bare: whether it has no tree of its own.
    """

    common: str
    folder: str
    below: str
    is_bare: bool

    @property
    def name(self) -> str:
        """For a folder, other than that of any other repository."""
        path = self.common.removesuffix(os.sep + ".git")
        digest = hashlib.blake2b(os.fsencode(self.common), digest_size=4).hexdigest()
        return f"{plain(os.path.basename(path)) or 'repository'}-{digest}"

    async def commit(self, base: str) -> str:
        """The commit that a name such as ``HEAD`` stands for.

        Raises:
            NoRepository: there is none.
        """
        try:
            if base.startswith("-"):
                raise GitError(f"{base!r} is an option")
            return (await git(self.folder, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")).strip()
        except GitError as error:
            what = "the repository has no commit yet" if base == "HEAD" else f"{base[:80]!r} names no commit"
            raise NoRepository(f"{what} that a worktree could be made from", error.words) from None

    async def has_changes(self) -> bool:
        """Whether its own tree has what no commit has."""
        if self.is_bare:
            return False
        return bool(await git(self.folder, "status", "--porcelain", "--untracked-files=normal"))

    async def has_submodules(self, commit: str) -> bool:
        """Whether a commit has submodules, which a worktree has not."""
        return bool(await git(self.folder, "ls-tree", "-r", "--name-only", commit, ".gitmodules"))


async def repository_of(folder: str) -> Repository:
    """The repository that a folder is in.

    Raises:
        NoRepository: it is in none, or git is missing, too old, or does not trust it.
    """
    try:
        await require_git()
    except GitError as error:
        raise NoRepository(str(error), error.words) from None
    try:
        asked = ("--git-common-dir", "--is-bare-repository", "--is-inside-git-dir", "--show-prefix")
        common, bare, inside, below, *_ = (await git(folder, "rev-parse", *asked)).split("\n")
    except (GitError, ValueError) as error:
        words = error.words if isinstance(error, GitError) else str(error)
        if "dubious ownership" in words:
            why = "git does not trust the repository, which another user owns (safe.directory)"
        else:
            why = "the folder that flowcage runs in is in no git repository"
        raise NoRepository(why, words) from None
    if inside == "true" and bare != "true":
        raise NoRepository("the folder that flowcage runs in is inside of a .git folder")
    return Repository(_real(folder, common), folder, below, bare == "true")


def _real(folder: str, path: str) -> str:
    return os.path.realpath(os.path.join(folder, path))


def plain(text: str, length: int = 40) -> str:
    """A text as a part of names of files and branches: letters, digits, "-", "_"."""
    kept = "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "-" for each in text)
    return "-".join(part for part in kept[: 4 * length].split("-") if part)[:length].strip("-")
