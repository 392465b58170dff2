"""Repositories of which no worktree can be made, or not as one may think; and hostile ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from flowcage.agents import OptionNotHonoured, Worktrees

from .repositories import Trees, git, repository, write


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def refusal(trees: Trees, **more: Any) -> str:
    with pytest.raises(OptionNotHonoured) as caught:
        trees.ask(**more)
    assert trees.folders == []
    assert list(trees.home.glob("*/*")) == []
    assert str(trees.path) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("isolation", ["remote", {"type": "sandbox", "profile": "p"}, True, 5, ""])
def test_another_isolation_is_refused_by_name(tmp_path: Path, isolation: Any) -> None:
    why = refusal(Trees(tmp_path), options={"isolation": isolation})
    assert "options.isolation may be 'worktree' or null, not" in why


def test_a_folder_in_no_repository_is_refused(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    assert "the folder that flowcage runs in is in no git repository" in refusal(
        trees, folder=tmp_path / "elsewhere"
    )
    assert "not a git repository" in trees.notes[0]
    assert "inside of a .git folder" in refusal(trees, folder=trees.repository / ".git")


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "--quiet")
    assert "the repository has no commit yet" in refusal(trees, folder=tmp_path / "new")


@pytest.mark.parametrize("base", ["nowhere", "--exec=x", "main:a.txt", ""])
def test_a_base_that_is_no_commit_is_refused(tmp_path: Path, base: str) -> None:
    assert f"{base!r} names no commit" in refusal(Trees(tmp_path, base=base))


def test_a_bare_repository_and_a_detached_head_will_do(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    git(tmp_path, "clone", "--quiet", "--bare", str(trees.repository), "bare.git")
    git(trees.repository, "checkout", "--quiet", "--detach")
    trees.ask()
    assert "flowcage/run1/agent-1" in git(trees.repository, "branch").split()
    trees.ask(folder=tmp_path / "bare.git")
    assert "flowcage/run1/agent-1" in git(tmp_path / "bare.git", "branch").split()


@pytest.mark.parametrize(
    ("program", "why"),
    [(None, "git could not be started"), ("hello", "git 0.0 is too old"),
     ("git version 2.19.1", "git 2.19 is too old; it needs 2.20 or newer")],
)  # fmt: skip
def test_git_that_is_missing_or_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, why: str
) -> None:
    trees, folder = Trees(tmp_path), tmp_path / "bin"
    folder.mkdir()
    if program is not None:
        (folder / "git").write_text(f"#!/bin/sh\necho {program}\n")
        (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert why in refusal(trees)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_a_repository_of_another_user_is_refused_as_git_does(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    for each in [trees.repository, *trees.repository.rglob("*")]:
        os.lchown(each, 65534, 65534)
    assert "git does not trust the repository" in refusal(trees)


def test_changes_that_are_not_committed_are_told_of_once(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    write("a.txt", "two\n")(trees.repository)

    async def main() -> None:
        await trees.agent(trees.call(1))
        await trees.agent(trees.call(2))

    trees.asks(main)
    assert len(trees.notes) == 1
    assert "changes that are not committed, and worktrees do not have these" in trees.notes[0]
    assert (trees.repository / "a.txt").read_text() == "two\n"


def test_submodules_are_told_of_and_one_that_the_agent_fills_is_not_forced_away(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        assert list((folder / "sub").iterdir()) == []
        git(folder, "submodule", "--quiet", "update", "--init")

    trees = Trees(tmp_path, work=work)
    repository(tmp_path / "other")
    git(trees.repository, "submodule", "--quiet", "add", str(tmp_path / "other"), "sub")
    git(trees.repository, "commit", "--quiet", "-m", "sub")
    told = trees.ask().worktree
    assert told is not None
    assert "working trees containing submodules cannot be moved or removed" in str(told["problem"])
    assert (trees.folders[0] / "sub" / "a.txt").exists()
    assert "the repository has submodules" in trees.notes[0]


def test_no_program_of_the_repository_is_run(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    trace = tmp_path / "trace"
    names = (
        "post-checkout",
        "pre-commit",
        "commit-msg",
        "prepare-commit-msg",
        "post-commit",
        "reference-transaction",
    )
    for name in names:
        hook = trees.repository / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {trace}\n")
        hook.chmod(0o755)
    (trees.repository / "fsmonitor").write_text(f"#!/bin/sh\necho fsmonitor >> {trace}\n")
    (trees.repository / "fsmonitor").chmod(0o755)
    git(trees.repository, "config", "core.fsmonitor", str(trees.repository / "fsmonitor"))
    git(trees.repository, "config", "commit.gpgSign", "true")
    git(trees.repository, "config", "gpg.program", str(trees.repository / "fsmonitor"))
    trace.unlink(missing_ok=True)
    assert "problem" not in (trees.ask().worktree or {"problem": "nothing was kept"})
    assert not trace.exists()


def test_the_environment_of_a_hook_that_starts_flowcage_does_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees, other = Trees(tmp_path, work=write("b.txt")), repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    trees.ask()
    assert "flowcage/run1/agent-1" in trees.branches()
    assert git(other, "branch").split() == ["*", "main"]


def test_a_user_that_git_knows_is_the_author(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    trees.ask(1)
    git(trees.repository, "config", "user.name", "Ada")
    git(trees.repository, "config", "user.email", "ada@example.org")
    trees.ask(2)
    authors = [git(trees.repository, "log", "-1", "--format=%an", f"flowcage/run1/agent-{n}") for n in (1, 2)]
    assert authors == ["flowcage\n", "Ada\n"]


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="deliver must be one of branch, patch, not 'zip'"):
        Worktrees(deliver="zip")  # type: ignore[arg-type]
