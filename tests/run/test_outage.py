"""A run whose agents cannot be asked: nothing more is begun, what is at work is kept, it can be resumed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RunHalted, RunOptions, Verdict
from flowcage.agents import AgentsUnavailable
from flowcage.errors import RunError
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.core.inputs import Answered, Charged, Refused
from flowcage.host.workflows.child_workflows import ChildWorkflows

from ..host.children import Launcher
from ..host.runs import Listener, failure
from ..resume.kept_runs import record_of

ALL = "export default await Promise.all(args.map((prompt) => agent(prompt)))"
NO_CREDIT = "the account has no credit"


class Account:
    """Agents of one account.

    Args:
        last: prompts of calls that meet its end.
        together: prompts of calls that begin before those go on, and that end after them.
    """

    def __init__(self, *last: str, together: tuple[str, ...] = ()) -> None:
        self.last = last
        self.asked: Counter[str] = Counter()
        self._together = together
        self._have_begun, self._is_out = trio.Event(), trio.Event()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked[call.prompt] += 1
        if set(self._together) <= set(self.asked):
            self._have_begun.set()
        if call.prompt in self.last:
            await self._have_begun.wait()
            self._is_out.set()
            raise AgentsUnavailable(NO_CREDIT, cost_usd=0.125, tokens=1)
        if call.prompt in self._together:
            await self._is_out.wait()
        return AgentAnswer(f"<{call.prompt}>", tokens=10, cost_usd=0.25)


def test_nothing_is_begun_any_more_and_what_is_at_work_has_its_end() -> None:
    account, listener = Account("b", together=("a", "b", "c")), Listener()
    source = ALL.replace("args", "['a', 'b', 'c', 'd', 'e']")
    error = failure(source, agent=account, max_agents=3, listener=listener)
    assert isinstance(error, RunHalted)
    assert str(error) == f"agents cannot be asked any more: {NO_CREDIT}"
    assert error.verdict is Verdict.AGENTS_UNAVAILABLE
    assert error.verdict.exit_status == 75
    assert sorted(account.asked) == ["a", "b", "c"]
    assert {each["value"] for each in listener.of("agent_completed")} == {"<a>", "<c>"}
    assert {each["requestId"] for each in listener.of("agent_cancelled")} == {"2", "4", "5"}
    assert (error.report.usage.tokens, error.report.usage.cost_usd) == (21, 0.625)
    census = error.report.census
    assert (census.completed, census.failed, census.refused, census.cancelled) == (2, 0, 0, 3)


@pytest.mark.parametrize(
    "options", ["{retry: {maxAttempts: 5}}", "{timeoutMs: 60000}", "{schema: {type: 'string'}}"]
)
def test_no_option_of_the_call_has_it_asked_again(options: str) -> None:
    account = Account("a")
    error = failure(f"export default agent('a', {options}).catch(() => 'caught')", agent=account)
    assert isinstance(error, RunHalted)
    assert account.asked.total() == 1


def test_several_that_meet_it_are_one_outage() -> None:
    account = Account("a", "b", "c", together=("a", "b", "c"))
    error = failure(ALL.replace("args", "['a', 'b', 'c']"), agent=account)
    assert isinstance(error, RunHalted)
    assert account.asked.total() == 3


def test_a_child_workflow_halts_the_whole_run(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text("export default agent('last').catch(() => 'caught')")
    source = "export default workflow({scriptPath: 'kid.js'}).catch(() => 'caught')"
    error = failure(source, agent=Account("last"), workflow=ChildWorkflows(tmp_path))
    assert isinstance(error, RunHalted)
    assert error.verdict is Verdict.AGENTS_UNAVAILABLE


KID = """const first = await agent('k1');
export default [first, ...await Promise.all(['k2', 'k3'].map((prompt) => agent(prompt)))]"""
SOURCE = """const first = await agent('first');
const all = await Promise.all(['a', 'b', 'c'].map((prompt) => agent(prompt)));
export default [first, ...all, ...await workflow({scriptPath: 'kid.js'})]"""
RESULT = ["<first>", "<a>", "<b>", "<c>", "<k1>", "<k2>", "<k3>"]


async def life(folder: Path, number: int, account: Account, **more: Any) -> Any:
    """One life of a run; its result, or the error that it ended with."""
    launcher = Launcher()
    options = RunOptions(
        agent=account, workflow=ChildWorkflows(folder), launcher=launcher, timeout_seconds=600, **more
    )
    store = SqliteStore.open(folder / "runs.db")
    try:
        if number == 0:
            kept = await begin(store, "run", SOURCE, "w.js", {}, options)
        else:
            kept = await take_up(store, "run")
        return (await kept.execute(kept.run(options))).result
    except RunError as error:
        return error
    finally:
        await store.aclose()
        launcher.assert_nothing_left()


@pytest.mark.parametrize(
    ("met_by", "together"),
    [
        (("first",), ()),
        (("b",), ("a", "b", "c")),
        (("a", "b", "c"), ("a", "b", "c")),
        (("k1",), ()),
        (("k3",), ("k2", "k3")),
    ],
    ids=str,
)
def test_a_run_that_was_halted_goes_on_and_asks_only_what_has_no_answer(
    tmp_path: Path, met_by: tuple[str, ...], together: tuple[str, ...]
) -> None:
    (tmp_path / "kid.js").write_text(KID)
    account = Account(*met_by, together=together)
    error = trio.run(life, tmp_path, 0, account)
    assert isinstance(error, RunHalted)
    record = record_of(tmp_path / "runs.db")
    assert record.ending is not None
    assert record.ending.verdict == "agents_unavailable"
    assert record.ending.error == {"kind": "agents_unavailable", "message": str(error)}
    settled = [each.input for each in record.entries if isinstance(each.input, Answered | Refused)]
    assert not [each for each in settled if isinstance(each, Refused)]
    assert len([each for each in record.entries if isinstance(each.input, Charged)]) == len(met_by)

    asked, again = account.asked, Account()
    result = trio.run(life, tmp_path, 1, again)
    assert result == RESULT
    for prompt in met_by:
        assert again.asked[prompt] == 1
    assert not [prompt for prompt in again.asked if prompt not in met_by and asked[prompt]]
    ending = record_of(tmp_path / "runs.db").ending
    assert ending is not None
    assert isinstance(ending.usage, dict)
    assert ending.usage["costUsd"] == 7 * 0.25 + len(met_by) * 0.125
    assert ending.usage["tokens"] == 70 + len(met_by)
