"""Git repositories for tests, and agents that change files in their worktrees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from flowcage.agents import AgentAnswer, AgentCall, Worktrees, worktree

_CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
# Nothing of the machine's or the user's own settings.
ENVIRONMENT = _CLEAN | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *arguments: str) -> str:
    """What git writes; it has to succeed."""
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "protocol.file.allow=always")
    argv = ["git", "-C", str(folder), *who, *arguments]
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def repository(folder: Path, **files: str) -> Path:
    """A repository with one commit of these files."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in ({"a.txt": "one\n", ".gitignore": "ignored\n"} | files).items():
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


@dataclass
class Trees:
    """A repository, and an agent whose calls get worktrees of it.

    Attributes:
        work: what the agent does in its folder.
        folders: that it was given, in order.
        notes: that a person was told.
    """

    path: Path
    deliver: Any = "branch"
    base: str = "HEAD"
    session: str | None = None
    work: Callable[[Path], None] = lambda _folder: None
    folders: list[Path] = field(default_factory=list)
    calls: list[AgentCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.path / "home"
        self.repository = self.path / "repository"
        if not self.repository.exists():
            repository(self.repository)
        settings = Worktrees(self.base, self.deliver, self.home, self.notes.append)
        self.agent = worktree(self._answer, settings)

    async def _answer(self, call: AgentCall) -> AgentAnswer:
        assert call.folder is not None
        self.calls.append(call)
        self.folders.append(Path(call.folder))
        await trio.lowlevel.checkpoint()
        self.work(Path(call.folder))
        return AgentAnswer("done", 5, session_id=self.session)

    def call(self, number: int = 1, *, folder: Path | None = None, **more: Any) -> AgentCall:
        options = {"isolation": "worktree", **more.pop("options", {})}
        where = str(folder or self.repository)
        return AgentCall(str(number), "work", options, run_id="run1", folder=where, **more)

    def ask(self, number: int = 1, **more: Any) -> AgentAnswer:
        return trio.run(self.agent, self.call(number, **more))

    def asks(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        return trio.run(ask)

    def branches(self) -> list[str]:
        return git(self.repository, "branch", "--format=%(refname:short)").split()

    def left(self) -> list[str]:
        """Folders of worktrees that are there."""
        return sorted(each.name for each in self.home.glob("*/*") if each.is_dir())


def write(name: str, text: str = "new\n") -> Callable[[Path], None]:
    """What writes a file into a folder."""

    def work(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return work
