"""Worktrees of hosts that were killed: the next one settles them, and leaves those of hosts at work alone."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .repositories import Trees, git, write


@contextmanager
def at_work(trees: Trees, does: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A host whose agent is at work, and the folder of that one."""
    argv = [sys.executable, "-m", "tests.agents.worktree_host", str(trees.repository), str(trees.home), does]
    host = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert host.stdout is not None
        yield host, Path(host.stdout.readline().strip())
    finally:
        host.kill()
        host.wait()
        assert host.stdout is not None
        host.stdout.close()


def killed(trees: Trees, does: str) -> Path:
    with at_work(trees, does) as (host, folder):
        assert folder.is_dir()
        host.send_signal(signal.SIGKILL)
        host.wait()
    return folder


def test_changes_of_a_host_that_was_killed_are_kept_on_a_branch_and_told_of(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    folder = killed(trees, "change")
    assert (folder / "b.txt").exists()
    trees.ask()
    branch = "flowcage/killed-change/change-1"
    assert git(trees.repository, "diff", "--name-only", "main", branch).split() == ["b.txt"]
    of = "changes of change in the run killed-change, which was ended early, are kept in"
    assert trees.notes == [f"{of} {folder}, {branch}"]
    trees.notes.clear()
    trees.ask()  # by another host
    assert trees.notes == []
    assert trees.left() == [folder.name]


def test_a_worktree_without_changes_of_a_host_that_was_killed_is_removed(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    folder = killed(trees, "nothing")
    trees.ask()
    assert not folder.exists()
    assert trees.notes == []
    assert list(trees.home.glob("*/*")) == []
    assert len(git(trees.repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("does", ["change", "nothing"])
def test_a_worktree_of_a_host_at_work_is_left_alone(tmp_path: Path, does: str) -> None:
    trees = Trees(tmp_path)
    with at_work(trees, does) as (_, folder):
        trees.ask()
        assert folder.is_dir()
        assert git(folder, "rev-parse", "--abbrev-ref", "HEAD").strip() == "HEAD"
    trees.ask()
    assert folder.is_dir() is (does == "change")


def test_one_that_was_killed_while_it_was_made_is_removed_although_it_has_not_all_files(
    tmp_path: Path,
) -> None:
    trees = Trees(tmp_path)
    folder = killed(trees, "nothing")
    record = folder.with_name(f"{folder.name}.json")
    told = json.loads(record.read_text())
    del told["ready"]
    record.write_text(json.dumps(told))
    (folder / "a.txt").unlink()
    trees.ask()
    assert (trees.branches(), trees.left(), trees.notes) == (["main"], [], [])
    assert len(git(trees.repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ready": true}', '{"run_id": 5}'])
def test_a_record_that_says_nothing_is_left_alone(tmp_path: Path, text: str) -> None:
    trees = Trees(tmp_path)
    folder = killed(trees, "change")
    folder.with_name(f"{folder.name}.json").write_text(text)
    trees.ask()
    assert (folder / "b.txt").exists()


def test_folders_and_repositories_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    folder = killed(trees, "change")
    shutil.rmtree(folder)
    trees.ask()
    assert list(trees.home.glob("*/*")) == []
    assert len(git(trees.repository, "worktree", "list").splitlines()) == 1


def test_what_a_person_has_removed_is_forgotten(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=write("b.txt"), deliver="patch")
    trees.ask()
    git(trees.repository, "worktree", "remove", "--force", str(trees.folders[0]))
    trees.work = lambda _folder: None
    trees.ask(2)
    assert [each.suffix for each in trees.home.glob("*/*")] == [".patch"]
