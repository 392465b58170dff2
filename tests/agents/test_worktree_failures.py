"""Agents that fail or are cancelled in a worktree: what they had changed is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.agents import AgentError, OptionNotHonoured, Worktrees, WrongAnswer, worktree

from .repositories import Trees, write


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def failing(trees: Trees, error: BaseException) -> Callable[[Path], None]:
    work = trees.work

    def fail(folder: Path) -> None:
        work(folder)
        raise error

    return fail


def test_changes_of_an_agent_that_fails_are_kept_and_the_error_says_where(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    trees.work = failing(trees, AgentError("it broke", tokens=7))
    with pytest.raises(AgentError) as caught:
        trees.ask()
    assert str(caught.value) == "it broke; what it had changed is kept on the branch flowcage/run1/agent-1"
    assert caught.value.tokens == 7
    assert str(tmp_path) not in str(caught.value)
    assert "flowcage/run1/agent-1" in trees.branches()


@pytest.mark.parametrize(
    "error", [AgentError("it broke"), OptionNotHonoured("no"), WrongAnswer("no number", "x")]
)
def test_nothing_is_left_of_one_that_fails_without_changes(tmp_path: Path, error: AgentError) -> None:
    trees = Trees(tmp_path)
    trees.work = failing(trees, error)
    message = str(error)
    with pytest.raises(type(error)) as caught:
        trees.ask()
    assert str(caught.value) == message
    assert trees.left() == []


def test_what_is_wrong_with_an_answer_is_said_in_the_same_words(tmp_path: Path) -> None:
    trees = Trees(tmp_path, work=write("b.txt"))
    trees.work = failing(trees, WrongAnswer("no number", "x"))
    with pytest.raises(WrongAnswer) as caught:
        trees.ask()
    assert str(caught.value) == "no number"


@pytest.mark.parametrize(("work", "is_changed"), [(write("b.txt"), True), (lambda _folder: None, False)])
def test_changes_of_an_agent_that_is_cancelled_are_kept(
    tmp_path: Path, work: Callable[[Path], None], is_changed: bool
) -> None:
    trees = Trees(tmp_path)

    async def main() -> None:
        with trio.CancelScope() as scope:

            def stop(folder: Path) -> None:
                work(folder)
                scope.cancel()

            trees.work = stop
            settings = Worktrees(home=trees.home, note=trees.notes.append)

            async def agent(call: Any) -> Any:
                await trees._answer(call)
                await trio.sleep_forever()

            await worktree(agent, settings)(trees.call())
        assert scope.cancelled_caught

    trees.asks(main)
    assert len(trees.branches()) == 1 + is_changed
    assert len(trees.left()) == len(trees.notes) == is_changed
