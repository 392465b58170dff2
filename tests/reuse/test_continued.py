"""Conversations that go on, in runs that are forked and gone on with: which session each call continues."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall
from flowcage.host.durable.reuse.terms import Terms
from flowcage.host.outcome.errors import RunError

from .forks import Forks

SOURCE = """const first = await agent('plan', {handle: true});
const second = await agent('act', {continue: first.handle, handle: true});
return [first.value, second.value, await agent('check', {continue: second.handle})];"""
KID = "const it = await agent('plan ' + args.n, {handle: true});\nexport default it;"
OF_A_KID = """const kid = await workflow('kid', {n: 1});
export default [kid.value, await agent('act', {continue: kid.handle})];"""
INTO_A_KID = """const first = await agent('plan', {handle: true});
export default await workflow('kid', {on: first.handle});"""


class Talks(Forks):
    """Each answer has a session of its own. `went_on` has prompts with the sessions that they continue."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.went_on: list[tuple[str, str | None]] = []

    async def agent(self, call: AgentCall) -> AgentAnswer:
        answer = await super().agent(call)
        self.went_on.append((call.prompt, call.session))
        return AgentAnswer("same", session_id=f"s{len(self.went_on)}", tokens=answer.tokens)

    def newly(self) -> list[tuple[str, str | None]]:
        found, self.went_on = self.went_on, []
        return found


def talks(path: Path, work: Callable[[Talks], Awaitable[None]]) -> None:
    made = Talks(path / "runs.db")

    async def main() -> None:
        try:
            await work(made)
        finally:
            await made.store.aclose()

    trio.run(main)


def test_each_call_goes_on_with_the_session_of_its_handle(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        outcome = await forks.run("a", SOURCE)
        assert outcome.result == ["same", "same", "same"]
        assert forks.went_on == [("plan", None), ("act", "s1"), ("check", "s2")]

    talks(tmp_path, work)


def test_a_fork_that_changes_nothing_asks_nobody(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        await forks.run("a", SOURCE)
        forks.newly()
        assert (await forks.fork("b", "a")).result == ["same"] * 3
        assert forks.newly() == []

    talks(tmp_path, work)


def test_what_goes_on_with_a_new_answer_is_asked_again_although_prompt_and_answer_are_the_same(
    tmp_path: Path,
) -> None:
    async def work(forks: Talks) -> None:
        await forks.run("a", SOURCE)
        await forks.fork("b", "a", SOURCE.replace("'act'", "'do it'"))
        assert forks.went_on[3:] == [("do it", "s1"), ("check", "s4")]

    talks(tmp_path, work)


def test_calls_that_have_moved_have_their_conversation_still(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        await forks.run("a", SOURCE)
        await forks.fork("b", "a", "await agent('before');\n" + SOURCE)
        assert forks.went_on[3:] == [("before", None)]

    talks(tmp_path, work)


def test_a_handle_may_be_asked_for_afterwards(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        await forks.run("a", "return await agent('plan');")
        await forks.fork("b", "a", SOURCE)
        assert forks.went_on == [("plan", None), ("act", "s1"), ("check", "s2")]

    talks(tmp_path, work)


def test_an_answer_that_was_replaced_has_no_session(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        await forks.run("a", SOURCE)
        with pytest.raises(RunError, match="agent call 1 cannot be continued"):
            await forks.fork("b", "a", terms=Terms(answers={"1": "mine"}))
        assert len(forks.went_on) == 3

    talks(tmp_path, work)


def test_a_handle_out_of_a_child_workflow_whose_result_is_reused_is_still_good(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        forks.kid = KID
        await forks.run("a", OF_A_KID)
        await forks.fork("b", "a")
        assert len(forks.newly()) == 2
        edited = OF_A_KID.replace("'act'", "'do it'")
        await forks.fork("c", "b", edited)
        assert forks.newly() == [("do it", "s1")]

    talks(tmp_path, work)


def test_a_child_workflow_that_goes_on_with_a_new_answer_runs_anew(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        forks.kid = "export default await agent('act', {continue: args.on});"
        await forks.run("a", INTO_A_KID)
        await forks.fork("b", "a")
        assert forks.newly() == [("plan", None), ("act", "s1")]
        await forks.fork("c", "a", INTO_A_KID.replace("'plan'", "'think'"))
        assert forks.newly() == [("think", None), ("act", "s1")]

    talks(tmp_path, work)


def test_a_handle_of_another_run_is_worth_nothing(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        result: Any = (await forks.run("a", "return await agent('plan', {handle: true});")).result
        handle = result["handle"]
        with pytest.raises(RunError, match="this run knows no answer with the handle"):
            await forks.run("b", f"return await agent('steal', {{continue: '{handle}'}});")
        assert forks.went_on == [("plan", None)]

    talks(tmp_path, work)


def test_a_run_that_is_gone_on_with_knows_its_conversations(tmp_path: Path) -> None:
    async def work(forks: Talks) -> None:
        with trio.CancelScope() as scope:
            forks.on_call = lambda call: scope.cancel() if call.prompt == "act" else None
            await forks.run("a", SOURCE)
        assert forks.newly() == [("plan", None)]
        forks.on_call = lambda _call: None
        await forks.resume("a")
        assert [session for _, session in forks.newly()][:1] == ["s1"]

    talks(tmp_path, work)
