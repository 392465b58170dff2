"""Handlers that raise, hang, or return what is no answer: a rejection or a typed end, never a stuck run."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, HandlerFailed, Limits, RunTimedOut, WorkflowFailed
from flowcage.host.agents.errors import WrongAnswer
from flowcage.host.process.launch import switches

from ..host.runs import Agent, Listener, failure, overdue, run

SEVERAL = 4
CAUGHT = ".catch((error) => error.message)"
TEXT = "{schema: {type: 'string'}}"
HUGE = 100 * 1024 * 1024

# How each kind of request is made, and the option that answers it with a value.
REQUESTS = {
    "agent": "agent('x')",
    "agent with a schema": "agent('x', {schema: true})",
    "workflow": "workflow('x')",
    "program": "SW.sandbox.exec('p', {command: 'c'})",
}


def answering(value: Any) -> dict[str, Any]:
    """Handlers of every kind that return a value."""

    async def agent(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer(value)

    async def workflow(_run: object, _request: object) -> Any:
        return value

    async def sandbox_exec(_request: object) -> Any:
        return value

    return {"agent": agent, "workflow": workflow, "sandbox_exec": sandbox_exec}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_an_answer_of_100_mb_is_a_rejection_with_its_size_and_the_limit(request_: str) -> None:
    outcome = run(f"export default {request_}{CAUGHT}", **answering("x" * HUGE))
    assert outcome.result == (
        f"the host's answer cannot be sent: its {HUGE} bytes are more than maxMessageBytes"
        f" ({Limits().max_message_bytes})"
    )


def test_a_list_of_100_mb_is_a_rejection_too() -> None:
    outcome = run(f"export default agent('x'){CAUGHT}", **answering(["x" * 1024] * (100 * 1024)))
    assert f"bytes are more than maxMessageBytes ({Limits().max_message_bytes})" in outcome.result


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize(
    "value", [{1, 2}, math.nan, b"x", 10**5000, object()], ids=["set", "nan", "bytes", "long", "object"]
)
def test_an_answer_that_json_cannot_hold_is_a_rejection(request_: str, value: Any) -> None:
    outcome = run(f"export default {request_}{CAUGHT}", **answering(value))
    assert outcome.result.startswith("the host's answer cannot be sent: ")


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_an_answer_without_end_is_a_rejection(request_: str) -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        outcome = run(f"export default {request_}{CAUGHT}", **answering(value))
        assert outcome.result.startswith("the host's answer cannot be sent: ")


def test_a_rejection_of_100_mb_is_cut_to_why_it_cannot_be_sent() -> None:
    outcome = run(f"export default agent('x'){CAUGHT}", agent=Agent(WrongAnswer("x" * HUGE)))
    assert outcome.result.startswith("the host's answer cannot be sent: ")


@pytest.mark.parametrize("value", ["text", None, 5, ("x", 3)])
def test_an_agent_that_returns_no_answer_at_all_ends_the_run(value: Any) -> None:
    async def agent(_call: AgentCall) -> Any:
        return value

    error = failure("export default agent('x')", agent=agent)
    assert isinstance(error, HandlerFailed)
    assert f"must return an AgentAnswer, not {type(value).__name__}" in str(error)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_handler_that_raises_ends_the_run_whichever_it_is(request_: str) -> None:
    async def broken(*_: object) -> Any:
        raise ZeroDivisionError("mine")

    error = failure(f"export default {request_}", agent=broken, workflow=broken, sandbox_exec=broken)
    assert isinstance(error, HandlerFailed)
    assert isinstance(error.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_handler_that_hangs_is_ended_with_the_run(request_: str) -> None:
    async def hang(*_: object) -> Any:
        await trio.sleep_forever()

    error = overdue(f"export default {request_}", agent=hang, workflow=hang, sandbox_exec=hang)
    assert isinstance(error, RunTimedOut)


def test_a_listener_that_fails_at_the_start_of_an_attempt_ends_the_run() -> None:
    class Failing(Listener):
        def __call__(self, event: Any) -> None:
            super().__call__(event)
            if self.of("agent_started"):
                raise OSError("disk full")

    error = failure("export default agent('x')", listener=Failing())
    assert isinstance(error, HandlerFailed)
    assert "disk full" in str(error)


def test_with_a_schema_any_agents_answer_is_checked_and_asked_for_once_more() -> None:
    agent = Agent(5, "five")
    assert run(f"export default agent('x', {TEXT})", agent=agent).result == "five"
    assert [call.problem for call in agent.calls] == [None, '(root): 5 is not of type "string"']
    assert {call.prompt for call in agent.calls} == {"x"}


def test_an_agent_may_say_itself_that_its_answer_is_wrong() -> None:
    agent = Agent(WrongAnswer("not a haiku"), "yes")
    assert run(f"export default agent('x', {TEXT})", agent=agent).result == "yes"
    assert agent.calls[1].problem == "not a haiku"


def test_without_a_schema_a_wrong_answer_is_a_rejection_at_once() -> None:
    agent = Agent(WrongAnswer("not a haiku"), "never")
    assert run(f"export default agent('x'){CAUGHT}", agent=agent).result == "not a haiku"
    assert len(agent.calls) == 1


def test_a_schema_that_is_none_is_a_rejection_before_the_agent_is_asked() -> None:
    agent = Agent("never")
    outcome = run(f"export default agent('x', {{schema: {{type: 5}}}}){CAUGHT}", agent=agent)
    assert outcome.result.startswith("options.schema is not a JSON Schema")
    assert agent.calls == []


def test_an_answer_that_just_fits_crosses_and_one_byte_more_says_why_it_does_not() -> None:
    limits = Limits(max_message_bytes=100_000)
    assert run("export default (await agent('x')).length", limits=limits, **answering("x" * 99_000)).result
    error = failure("export default agent('x')", limits=limits, **answering("x" * 99_999))
    assert isinstance(error, WorkflowFailed)
    assert "100000" in str(error)


def test_answers_that_are_too_long_for_one_line_together_go_out_on_several() -> None:
    came, limits = trio.Event(), Limits(max_message_bytes=64 * 1024)

    async def agent(call: AgentCall) -> AgentAnswer:
        if call.id == str(SEVERAL):
            came.set()
        await came.wait()  # so all but the first wait for the same turn
        return AgentAnswer(call.id * 30_000)

    calls = ", ".join(["agent('x')"] * SEVERAL)
    source = f"const all = await Promise.all([{calls}]); export default all.map((one) => one[0] + one.length)"
    outcome = run(source, agent=agent, limits=limits)
    assert outcome.result == [f"{number}30000" for number in range(1, SEVERAL + 1)]
    # initialize, run, advance, or what the last two join; then a resolve for each, and a drain
    assert outcome.usage.messages == 2 * ((3 if switches.JOINED_MESSAGES else 5) + SEVERAL - 1 + 1)
