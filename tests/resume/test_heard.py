"""An answer that is being checked when its host ends is paid for: it is checked again, nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RunOptions
from flowcage.events import AgentCompleted, AgentStarted, Event
from flowcage.host.agents.schema.checker import Checker
from flowcage.host.resume.looking.story import story_of
from flowcage.host.run.core.inputs import Answered, Heard, Refused
from flowcage.protocol.messages import Json

from .kept_runs import record_of
from .one_life import one_life

# The host applies neither of these by itself.
ODD = "{schema: {type: 'string', pattern: '^<'}}"
SOURCE = f"const got = await agent('a', {ODD}); export default [got, budget.spent(), await agent('b')]"


class Asked:
    """An agent in all lives of a run."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.calls: list[AgentCall] = []

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.calls.append(call)
        return AgentAnswer(self.answers.pop(0), tokens=5, cost_usd=0.5, model="m")

    @property
    def keys(self) -> list[str]:
        return [call.idempotency_key for call in self.calls]


@contextmanager
def ending_at_check(
    monkeypatch: pytest.MonkeyPatch, scopes: list[trio.CancelScope], nth: int = 1
) -> Iterator[None]:
    """End the life at hand when its nth answer is given to a checker."""
    problem, checked = Checker.problem, list[bytes]()

    async def cut(checker: Checker, task: bytes) -> str | None:
        checked.extend([task] * (b'"value":' in task))
        if len(checked) == nth:
            scopes[-1].cancel()
        return await problem(checker, task)

    with monkeypatch.context() as patched:
        patched.setattr(Checker, "problem", cut)
        yield


def lives(
    folder: Path, monkeypatch: pytest.MonkeyPatch, agent: Asked, source: str = SOURCE, ended: int = 1
) -> tuple[Json, list[Event]]:
    """The result, and the events of the last life; those before it end at a check."""
    scopes: list[trio.CancelScope] = []
    events: list[Event] = []
    for number in range(ended):
        with ending_at_check(monkeypatch, scopes):
            given = RunOptions(agent=agent, timeout_seconds=120)
            assert trio.run(one_life, folder, number, source, given, scopes) is None
    given = RunOptions(agent=agent, timeout_seconds=120, listener=events.append)
    return trio.run(one_life, folder, ended, source, given, scopes), events


def test_an_answer_whose_check_was_cut_off_is_checked_in_the_next_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Asked("<a>", "b")
    result, events = lives(tmp_path, monkeypatch, agent, ended=2)
    record = record_of(tmp_path / "runs.db")
    inputs = [each.input for each in record.entries]

    assert result == ["<a>", 5, "b"]
    assert agent.keys == ["run/1/1", "run/2/1"]
    assert [type(each) for each in inputs if isinstance(each, Heard | Answered)] == [
        Heard,
        Answered,
        Answered,
    ]
    assert isinstance(record.ending.usage if record.ending else None, dict)
    assert record.ending.usage["tokens"] == 10  # type: ignore[union-attr]
    assert [each.request_id for each in events if isinstance(each, AgentStarted)] == ["2"]
    told = next(each for each in events if isinstance(each, AgentCompleted))
    assert (told.value, told.tokens, told.cost_usd, told.model) == ("<a>", 5, 0.5, "m")


def test_it_may_be_refused_then_and_its_tries_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Asked("wrong", "<a>", "b")
    result, _ = lives(tmp_path, monkeypatch, agent)

    assert result == ["<a>", 10, "b"]
    assert agent.keys == ["run/1/1", "run/1/1.2", "run/2/1"]
    second = agent.calls[1]
    assert second.problem is not None
    assert not second.interrupted


def test_the_second_try_may_be_cut_off_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Asked("wrong", "wrong again", "b")
    source = f"""const got = await agent('a', {ODD}).catch((error) => error.message);
export default [got, await agent('b')]"""
    scopes: list[trio.CancelScope] = []
    given = RunOptions(agent=agent, timeout_seconds=120)
    with ending_at_check(monkeypatch, scopes):
        trio.run(one_life, tmp_path, 0, source, given, scopes)
    with ending_at_check(monkeypatch, scopes, nth=2):
        trio.run(one_life, tmp_path, 1, source, given, scopes)
    result: Any = trio.run(one_life, tmp_path, 2, source, given, scopes)

    assert "no valid answer in 2 tries" in result[0]
    assert agent.keys == ["run/1/1", "run/1/1.2", "run/2/1"]
    assert [
        type(each.input)
        for each in record_of(tmp_path / "runs.db").entries
        if isinstance(each.input, Heard | Refused)
    ] == [
        *(Heard, Refused),
        *(Heard, Refused),
    ]


def test_what_was_heard_is_told_as_paid_for_while_its_check_has_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes: list[trio.CancelScope] = []
    given = RunOptions(agent=Asked("<a>"), timeout_seconds=120)
    for number in range(2):
        with ending_at_check(monkeypatch, scopes):
            trio.run(one_life, tmp_path, number, SOURCE, given, scopes)
    call = story_of(record_of(tmp_path / "runs.db")).calls["1"]

    assert (call.state, call.tokens, call.cost_usd) == ("open", 5, 0.5)
    assert call.attempts[0].lives == 1  # nobody was asked again


def test_an_answer_that_needs_no_process_has_no_entry_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "export default agent('a', {schema: {type: 'string'}})"
    lives(tmp_path, monkeypatch, Asked("<a>"), source, ended=0)

    assert not [each for each in record_of(tmp_path / "runs.db").entries if isinstance(each.input, Heard)]
