"""One attempt of an agent in a worktree: begun, and ended in one of the ways of `settle`."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import platformdirs
import trio

from flowcage.host.agents.answer import Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.compose.worktree import Worktrees
from flowcage.host.agents.errors import OptionNotHonoured
from flowcage.host.agents.worktrees import record as records
from flowcage.host.agents.worktrees.git import GitError, git
from flowcage.host.agents.worktrees.record import Lock, Record
from flowcage.host.agents.worktrees.repository import NoRepository, Repository, plain, repository_of
from flowcage.host.agents.worktrees.settling import discard, settle
from flowcage.host.terminal.text import cut, safe
from flowcage.protocol.messages import Json

_MAX_SESSIONS = 1_000
_MAX_WORDS = 100  # characters


class Kept(NamedTuple):
    """A worktree with changes.

    Attributes:
        facts: as `AgentAnswer.worktree` has them.
    """

    facts: dict[str, Json]

    @property
    def for_workflow(self) -> str:
        """In words, without folders of the host."""
        branch = self.facts.get("branch")
        return f"what it had changed is kept{f' on the branch {branch}' if branch else ''}"

    @property
    def for_person(self) -> str:
        """In words."""
        where = self.facts.get("branch") or self.facts.get("patch")
        problem = self.facts.get("problem")
        told = f"in {self.facts['path']}" + (f", {where}" if where else "")
        return f"{told}; it could not be delivered: {problem}" if problem else told


class _Process:
    """What the worktrees of one event loop know of each other.

    Attributes:
        locks: by repository: git itself may find its files locked where two make worktrees at once.
        examined: folders of worktrees whose leftovers were settled.
        warned: repositories that a person was warned about.
        sessions: names of worktrees whose agents had these sessions, also where they are removed; by run and
            session, since programs may call those of all runs the same, and without the run for forks of it.
    """

    def __init__(self) -> None:
        self.locks: dict[str, trio.Lock] = {}
        self.examined: set[Path] = set()
        self.warned: set[str] = set()
        self.sessions: dict[tuple[str | None, str], str] = {}

    def lock(self, repository: str) -> trio.Lock:
        return self.locks.setdefault(repository, trio.Lock())


_process: trio.lowlevel.RunVar[_Process] = trio.lowlevel.RunVar("worktrees")


def _here() -> _Process:
    try:
        return _process.get()
    except LookupError:
        _process.set(made := _Process())
        return made


class Checkout:
    """A worktree that an agent works in. Leave the block on every way out.

    Attributes:
        folder: that the agent is to work in.
    """

    def __init__(self, call: AgentCall, settings: Worktrees, tree: Path, record: Record, lock: Lock) -> None:
        self._call = call
        self._settings = settings
        self._tree = tree
        self._record = record
        self._lock = lock
        self.folder = str(tree)

    def __enter__(self) -> Checkout:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._lock.close()

    async def end(self, session: str | None = None) -> Kept | None:
        """Remove the worktree, or keep it: then a person is told where, unless the agent's answer tells."""
        here = _here()
        if session is not None:
            for run_id in (_run_id(self._call), None):
                if len(here.sessions) >= _MAX_SESSIONS:
                    del here.sessions[next(iter(here.sessions))]
                here.sessions[run_id, session] = self._tree.name
        async with here.lock(self._record.common):
            facts = await settle(self._tree, self._record, self._lock, session)
        if facts is None:
            return None
        kept = Kept(facts)
        _tell(self._call, self._settings, f"changes of {_name(self._record)} are kept {kept.for_person}")
        return kept


async def begin(call: AgentCall, settings: Worktrees, folder: str) -> Checkout:
    """Make a worktree for an attempt.

    Args:
        call: of the attempt.
        settings: of worktrees.
        folder: in the repository, unless the call has one.

    Raises:
        OptionNotHonoured: none can be made.
    """
    try:
        repository = await repository_of(call.folder or folder)
        home = (settings.home or platformdirs.user_state_path("flowcage") / "worktrees") / repository.name
        async with _here().lock(repository.common):
            await _settle_leftovers(call, settings, home)
            tree, record, lock = await _tree(call, settings, repository, home)
    except NoRepository as error:
        if error.words:
            _tell(call, settings, f"no worktree: {error}: {error.words}")
        raise OptionNotHonoured(f"options.isolation: no worktree can be made: {error}") from None
    except GitError as error:
        _tell(call, settings, f"no worktree: {error}: {error.words}")
        raise OptionNotHonoured(f"options.isolation: no worktree can be made: {error}") from None
    except OSError as error:
        _tell(call, settings, f"no worktree: {error}")
        why = error.strerror or "a file could not be written"
        raise OptionNotHonoured(f"options.isolation: no worktree can be made: {why}") from None
    checkout = Checkout(call, settings, tree, record, lock)
    if repository.below and (tree / repository.below).is_dir():
        checkout.folder = str(tree / repository.below)
    return checkout


async def _tree(
    call: AgentCall, settings: Worktrees, repository: Repository, home: Path
) -> tuple[Path, Record, Lock]:
    request = call.id if call.memory is None else call.memory.request
    run_id = _run_id(call)
    parts = (plain(run_id, 80), plain(request), str(call.attempt), plain(call.label or ""))
    name = "-".join([part for part in parts if part])
    session, sessions = call.session, _here().sessions
    if session is not None and (own := sessions.get((run_id, session))) is not None:
        name, session = own, None
    elif session is not None:
        name = sessions.get((None, session), name)
    if call.problem is not None or call.session is not None:  # it goes on with what it was at
        found = records.kept(home, name, session, _line(run_id))
        if found is not None:
            return found
    commit = await repository.commit(settings.base)
    await _warn(call, settings, repository, commit)
    words = _line(run_id), _line(request), _line(call.label or "")
    record = Record(*words, repository.common, commit, settings.deliver)
    tree, lock = records.new(home, name, record)
    try:
        await git(repository.folder, "worktree", "add", "--quiet", "--detach", str(tree), commit)
    except BaseException:
        with trio.CancelScope(shield=True), lock:
            await discard(tree, record, lock)
        raise
    records.write(tree, record, ready=True)
    return tree, record, lock


def _run_id(call: AgentCall) -> str:
    return call.root_run_id or call.run_id or "run"


async def _warn(call: AgentCall, settings: Worktrees, repository: Repository, commit: str) -> None:
    """Tell once what a person may not expect of worktrees of this repository."""
    warned = _here().warned
    if repository.common in warned:
        return
    warned.add(repository.common)
    if await repository.has_changes():
        what = "has changes that are not committed, and worktrees do not have these"
        _tell(call, settings, f"the repository {what}: they are made from {settings.base}")
    if await repository.has_submodules(commit):
        _tell(call, settings, "the repository has submodules, and in worktrees their folders are empty")


async def _settle_leftovers(call: AgentCall, settings: Worktrees, home: Path) -> None:
    """Settle worktrees of hosts that were killed, once in the life of this one."""
    here = _here()
    if home in here.examined:
        return
    here.examined.add(home)
    for tree, record, lock, is_ready in records.left(home):
        with lock:
            if not is_ready:
                await discard(tree, record, lock)
            elif (facts := await settle(tree, record, lock)) is not None:
                of = f"{_name(record)} in the run {record.run_id}, which was ended early,"
                _tell(call, settings, f"changes of {of} are kept {Kept(facts).for_person}")


def _line(text: str) -> str:
    """A text of the workflow's as one line, for messages and commits."""
    return cut(" ".join(safe(text).split()), _MAX_WORDS).encode("utf-8", "replace").decode()


def _name(record: Record) -> str:
    return record.label or f"agent {record.request}"


def _tell(call: AgentCall, settings: Worktrees, text: str) -> None:
    """Tell whoever watches, and the person at the command line."""
    call.tell(Progress(text=text))
    if settings.note is not None:
        settings.note(text)
