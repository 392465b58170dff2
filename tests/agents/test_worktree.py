"""Worktrees of agents, with real repositories: what is removed, what is kept and where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from .repositories import Trees, git, write


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def commit(folder: Path) -> None:
    write("b.txt")(folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "by the agent")


def empty_folder(folder: Path) -> None:
    (folder / "empty").mkdir()


@pytest.mark.parametrize("work", [lambda _folder: None, write("ignored"), empty_folder])
def test_a_worktree_in_which_nothing_has_changed_is_removed(
    tmp_path: Path, work: Callable[[Path], None]
) -> None:
    trees = Trees(tmp_path, work=work)
    answer = trees.ask()
    assert (answer.value, answer.tokens, answer.worktree) == ("done", 5, None)
    assert not trees.folders[0].exists()
    assert trees.folders[0].is_relative_to(trees.home)
    assert (trees.left(), trees.branches(), trees.notes) == ([], ["main"], [])
    assert len(git(trees.repository, "worktree", "list").splitlines()) == 1
    assert list(trees.home.glob("*/*")) == []


def delete(folder: Path) -> None:
    (folder / "a.txt").unlink()


def mode(folder: Path) -> None:
    (folder / "a.txt").chmod(0o755)


def hide(folder: Path) -> None:
    git(folder, "config", "status.showUntrackedFiles", "no")  # of the repository, all of its worktrees
    write("b.txt")(folder)


@pytest.mark.parametrize(
    ("work", "changed"),
    [
        (write("b.txt"), "b.txt"),
        (write("a.txt", "two\n"), "a.txt"),
        (delete, "a.txt"),
        (mode, "a.txt"),
        (commit, "b.txt"),
        (hide, "b.txt"),
    ],
)
def test_changes_are_kept_on_a_branch(tmp_path: Path, work: Callable[[Path], None], changed: str) -> None:
    trees = Trees(tmp_path, work=work)
    head = git(trees.repository, "rev-parse", "HEAD").strip()
    told = trees.ask(options={"label": "fix it"}).worktree
    assert told is not None
    assert told == {
        "path": str(trees.folders[0]),
        "base": head,
        "commit": git(trees.repository, "rev-parse", "flowcage/run1/fix-it-1").strip(),
        "branch": "flowcage/run1/fix-it-1",
    }
    assert git(trees.repository, "diff", "--name-only", "main", str(told["branch"])).split() == [changed]
    assert git(trees.folders[0], "status", "--porcelain") == ""
    assert git(trees.repository, "status", "--porcelain") == ""
    assert git(trees.repository, "rev-parse", "HEAD").strip() == head
    assert [f"changes of fix it are kept in {trees.folders[0]}, flowcage/run1/fix-it-1"] == trees.notes


def leave(folder: Path) -> None:
    (folder / ".git").unlink()
    write("b.txt")(folder)


def begin_anew(folder: Path) -> None:
    leave(folder)
    git(folder, "init", "--quiet")
    commit(folder)


def take_the_users_own(folder: Path) -> None:
    leave(folder)
    write(".git", f"gitdir: {folder.parents[2] / 'repository' / '.git'}\n")(folder)


def lead_to_the_users_own(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.parents[2] / "repository")


LOG, FILES = ("log", "--all"), ("ls-files", "--stage")


@pytest.mark.parametrize("work", [leave, begin_anew, take_the_users_own, lead_to_the_users_own])
def test_what_is_no_worktree_any_more_is_kept_and_no_other_repository_is_touched(
    tmp_path: Path, work: Callable[[Path], None]
) -> None:
    trees = Trees(tmp_path, work=work)
    write("not-committed")(trees.repository)
    for each in (tmp_path, trees.repository):  # around the worktrees, as where a home is a repository
        git(each, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "of the home")
    before = [git(each, *words) for each in (tmp_path, trees.repository) for words in (LOG, FILES)]
    told = trees.ask().worktree
    assert told is not None
    assert "problem" in told
    assert "branch" not in told
    assert trees.folders[0].exists()
    assert before == [git(each, *words) for each in (tmp_path, trees.repository) for words in (LOG, FILES)]


def test_a_branch_that_the_agent_has_made_is_the_one(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        git(folder, "checkout", "--quiet", "-b", "mine")
        commit(folder)
        write("c.txt")(folder)

    trees = Trees(tmp_path, work=work)
    told = trees.ask().worktree
    assert told is not None
    assert told["branch"] == "mine"
    assert git(trees.repository, "diff", "--name-only", "main", "mine").split() == ["b.txt", "c.txt"]
    assert trees.branches() == ["main", "mine"]


def test_a_patch_has_all_that_a_branch_would_have(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        commit(folder)
        (folder / "bytes").write_bytes(bytes(range(256)))
        delete(folder)

    trees = Trees(tmp_path, work=work, deliver="patch")
    git(trees.repository, "config", "diff.noprefix", "true")
    git(trees.repository, "config", "diff.external", "false")
    told = trees.ask().worktree
    assert told is not None
    assert "branch" not in told
    assert trees.branches() == ["main"]
    git(trees.repository, "apply", "--index", str(told["patch"]))
    assert git(trees.repository, "diff", "--cached", "--name-status", str(told["commit"])) == ""
    assert (trees.repository / "bytes").read_bytes() == bytes(range(256))


def test_a_worktree_is_made_from_the_base(tmp_path: Path) -> None:
    trees = Trees(tmp_path, base="first", work=write("c.txt"))
    git(trees.repository, "tag", "first")
    write("b.txt")(trees.repository)
    git(trees.repository, "add", "--all")
    git(trees.repository, "commit", "--quiet", "-m", "second")
    assert trees.ask().worktree is not None
    assert sorted(each.name for each in trees.folders[0].iterdir()) == [
        ".git",
        ".gitignore",
        "a.txt",
        "c.txt",
    ]


def test_an_agent_without_the_option_works_where_it_did(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    trees.ask(options={"isolation": None})
    assert trees.folders == [trees.repository]


def test_a_folder_of_the_repository_is_the_same_folder_of_the_worktree(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    below = trees.repository / "sub" / "folder"
    below.mkdir(parents=True)
    write("kept.txt")(below)
    git(trees.repository, "add", "--all")
    git(trees.repository, "commit", "--quiet", "-m", "more")
    trees.ask(folder=below)
    assert trees.folders[0].parts[-2:] == ("sub", "folder")
    (trees.repository / "untracked").mkdir()
    trees.ask(folder=trees.repository / "untracked")
    assert trees.folders[1].name == "run1-1-1"


def test_the_option_is_followed_and_gone(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    trees.ask(options={"model": "m"})
    assert trees.calls[0].options == {"model": "m"}


@pytest.mark.parametrize(
    "label",
    [
        "../../etc",
        "a/b.lock",
        "--force",
        "ü@{1}~^:?*[\\ ",
        "x" * 500,
        "",
        ".",
        "a\0b",
        "\ud800",
        "a\n\nb",
        "\x1b[31m",
    ],
)
def test_names_are_made_of_any_label(tmp_path: Path, label: str) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    told = trees.ask(options={"label": label}).worktree
    assert told is not None
    assert "problem" not in told
    assert trees.folders[0].parent.parent == trees.home
    assert str(told["branch"]).startswith("flowcage/run1/")
    assert trees.branches() == [told["branch"], "main"]


@pytest.mark.parametrize(
    ("exists", "made"),
    [("flowcage/run1/agent-1", "flowcage/run1/agent-1-2"), ("flowcage", "flowcage-run1-agent-1")],
)
def test_a_branch_that_exists_is_left_alone(tmp_path: Path, exists: str, made: str) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    git(trees.repository, "branch", exists)
    told = trees.ask().worktree
    assert told is not None
    assert told["branch"] == made
    assert git(trees.repository, "rev-parse", exists) == git(trees.repository, "rev-parse", "main")


def test_agents_at_once_have_worktrees_of_their_own(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=lambda folder: write("b.txt", folder.name)(folder))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(1, 7):
                nursery.start_soon(trees.agent, trees.call(number, options={"label": "same"}))

    trees.asks(main)
    assert len(set(trees.folders)) == 6
    assert trees.branches() == [*(f"flowcage/run1/same-{number}" for number in range(1, 7)), "main"]


def test_attempts_have_worktrees_of_their_own_and_tries_share_one(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=lambda folder: write(f"{len(list(folder.iterdir()))}")(folder))

    async def main() -> None:
        await trees.agent(trees.call())
        await trees.agent(trees.call(problem="it is no number"))
        await trees.agent(trees.call(attempt=2))

    trees.asks(main)
    one, two, three = trees.folders
    assert one == two != three
    assert git(trees.repository, "diff", "--name-only", "main", "flowcage/run1/agent-1").split() == ["3", "4"]


def test_a_conversation_goes_on_in_its_worktree_whether_it_was_kept_or_not(tmp_path: Path) -> None:
    for work in (write("b.txt"), lambda _folder: None):
        trees = Trees(tmp_path / str(id(work)), work=work, session="s-1")

        async def main(trees: Trees = trees) -> None:
            await trees.agent(trees.call(1))
            await trees.agent(trees.call(2))
            await trees.agent(trees.call(3, session="s-1"))

        trees.asks(main)
        assert trees.folders[1] == trees.folders[2] != trees.folders[0]
    trees = Trees(tmp_path / "later", work=write("b.txt"), session="s-2")
    trees.ask()
    trees.ask(2, session="s-2")  # by another host
    trees.ask(3, session="s-3")
    assert trees.folders[0] == trees.folders[1] != trees.folders[2]


def test_a_conversation_goes_on_in_no_worktree_of_another_run_that_calls_it_the_same(tmp_path: Path) -> None:
    """Such as a program that counts its sessions from 1 in each run."""
    trees = Trees(tmp_path, session="1")

    async def conversations() -> None:
        for run, work in (("run1", write("b.txt")), ("run2", lambda _folder: None), ("run3", write("c.txt"))):
            trees.work = work
            await trees.agent(replace(trees.call(1), run_id=run))
        await trees.agent(replace(trees.call(2), run_id="run2", session="1"))

    trees.asks(conversations)
    assert trees.folders[3] == trees.folders[1]
    trees.asks(lambda: trees.agent(replace(trees.call(2), run_id="run1", session="1")))  # by another host
    assert trees.folders[4] == trees.folders[0]


def test_new_files_outside_of_a_sparse_checkout_are_delivered_and_none_is_lost(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        (folder / "out").mkdir()
        write("out/new")(folder)

    trees = Trees(tmp_path, work=work)
    for name in ("in", "out"):
        (trees.repository / name).mkdir()
        write(f"{name}/old")(trees.repository)
    git(trees.repository, "add", "--all")
    git(trees.repository, "commit", "--quiet", "-m", "second")
    git(trees.repository, "sparse-checkout", "set", "in")
    told = trees.ask().worktree
    assert told is not None
    assert "problem" not in told
    changed = git(trees.repository, "diff", "--name-status", f"main..{told['branch']}")
    assert changed == "A\tout/new\n"
