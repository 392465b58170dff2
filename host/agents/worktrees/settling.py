"""The end of a worktree: removed where nothing has changed, and otherwise kept and delivered.

Nothing here is forced: git itself refuses to remove a worktree with changes, and what cannot be examined or
committed is kept as it is.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import trio

from flowcage.host.agents.worktrees.git import GitError, git
from flowcage.host.agents.worktrees.record import Lock, Record, write
from flowcage.host.agents.worktrees.repository import plain
from flowcage.protocol.messages import Json

# For a commit, where the user has told git no name.
_NOBODY = ("user.name=flowcage", "user.email=flowcage@localhost")
_BRANCHES = "flowcage"
_WHERE = ("--git-dir", "--show-toplevel")


async def settle(
    tree: Path, record: Record, lock: Lock, session: str | None = None
) -> dict[str, Json] | None:
    """Remove a worktree, or keep what was changed in it.

    Args:
        tree: its folder; nobody works on it any more.
        record: of it.
        lock: of it.
        session: of the agent, which may be continued in it.

    Returns:
        Where the changes are: ``path`` of the folder, ``base`` and ``commit``, and ``branch`` or ``patch``;
        with ``problem`` where they could not be delivered. None where there are none.
    """
    if not _is_there(tree):
        await discard(tree, record, lock)
        return None
    kept: dict[str, Json] = {"path": str(tree), "base": record.base}
    try:
        if await _is_unchanged(tree, record):
            await git(record.common, "worktree", "remove", str(tree))
            lock.remove()
            return None
        kept["commit"] = await _commit(tree, record)
        kept |= await (_patch if record.deliver == "patch" else _branch)(tree, record)
    except GitError as error:
        kept["problem"] = f"{error}: {error.words}"
    write(tree, record, kept=kept, session=session)
    return kept


async def discard(tree: Path, record: Record, lock: Lock) -> None:
    """Remove a worktree that no agent has been in: it was never whole, or somebody has removed its folder."""
    with suppress(GitError):  # the repository may be gone, or know nothing of it
        await git(record.common, "worktree", "remove", "--force", "--force", str(tree))
    await trio.to_thread.run_sync(lambda: shutil.rmtree(tree, ignore_errors=True))
    lock.remove()


def _is_there(tree: Path) -> bool:
    return tree.is_dir()


async def _is_unchanged(tree: Path, record: Record) -> bool:
    if await _head(tree, record) != record.base:
        return False
    status = ("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
    return not await git(str(tree), *status)


async def _head(tree: Path, record: Record) -> str:
    """The commit that a worktree is at.

    Raises:
        GitError: it is none of the repository any more. Without its ``.git``, git would work in a repository
            that is around it, such as one of the user's home, and commit all that is there.
    """
    own, top, head, *_ = (await git(str(tree), "rev-parse", *_WHERE, "HEAD")).split("\n")
    if not _is_own(tree, record, own, top):
        raise GitError("the folder is no worktree of the repository any more")
    return head


def _is_own(tree: Path, record: Record, own: str, top: str) -> bool:
    """Whether git works in the folder itself, with what the repository has of one worktree."""
    folder = os.path.join(os.path.realpath(tree.parent), tree.name)
    worktrees = os.path.join(record.common, "worktrees")
    return top == folder and os.path.dirname(os.path.realpath(os.path.join(tree, own))) == worktrees


async def _commit(tree: Path, record: Record) -> str:
    """Commit what is not; the commit that has all."""
    # New files outside of a sparse checkout, too; what it has not checked out stays as it was.
    await git(str(tree), "add", "--all", settings=("core.sparseCheckout=false",))
    if await git(str(tree), "status", "--porcelain", "--untracked-files=no"):
        who = f"{record.label or 'an agent'} (call {record.request})"
        message = f"Changes of {who}\n\nMade by an agent in the flowcage run {record.run_id}."
        await git(
            str(tree), "commit", "--quiet", "--no-verify", "-m", message, settings=await _identity(tree)
        )
    return await _head(tree, record)


async def _identity(tree: Path) -> tuple[str, ...]:
    try:
        await git(str(tree), "var", "GIT_COMMITTER_IDENT", settings=("user.useConfigOnly=true",))
    except GitError:
        return _NOBODY
    return ()


async def _branch(tree: Path, record: Record) -> dict[str, Json]:
    """Have a branch at the commit; that of the agent, where it has made one."""
    try:
        return {"branch": (await git(str(tree), "symbolic-ref", "--quiet", "--short", "HEAD")).strip()}
    except GitError:  # a detached HEAD, as it was made
        pass
    own = f"{plain(record.run_id, 80)}/{plain(record.label) or 'agent'}-{plain(record.request)}"
    names = [f"{_BRANCHES}/{own}", *(f"{_BRANCHES}/{own}-{number}" for number in range(2, 20))]
    names.append(f"{_BRANCHES}-{own.replace('/', '-')}")  # where a branch is called as the folder of these
    for name in names:
        try:
            await git(str(tree), "checkout", "--quiet", "-b", name)
        except GitError as error:
            failure = error
        else:
            return {"branch": name}
    raise failure


async def _patch(tree: Path, record: Record) -> dict[str, Json]:
    path = tree.with_name(f"{tree.name}.patch")
    form = ("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=none")
    await git(str(tree), "diff", *form, *prefixes, f"--output={path}", record.base, "HEAD")
    return {"patch": str(path)}
