"""``options.retry`` and ``options.timeoutMs``, which any workflow may set to anything."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, HandlerFailed, RunOptions, run_workflow
from flowcage.host.run.terms import Terms

from ..host.children import Launcher
from ..host.runs import Agent, Listener, busy, failure, run

CAUGHT = ".catch((error) => error.message)"


def test_a_rejected_attempt_is_made_again_until_one_succeeds() -> None:
    agent = Agent(busy(), busy(), "at last")
    assert run("export default agent('x', {retry: {maxAttempts: 5}})", agent=agent).result == "at last"
    assert [call.id for call in agent.calls] == ["1", "1", "1"]


def test_the_last_rejection_is_the_workflows() -> None:
    agent = Agent(busy())
    outcome = run(f"export default agent('x', {{retry: {{maxAttempts: 3}}}}){CAUGHT}", agent=agent)
    assert outcome.result == "busy"
    assert len(agent.calls) == 3


@pytest.mark.parametrize("options", ["", ", {retry: null}", ", {retry: {}}", ", {retry: {backoffMs: 5}}"])
def test_without_a_number_of_attempts_there_is_one(options: str) -> None:
    agent = Agent(busy())
    assert run(f"export default agent('x'{options}){CAUGHT}", agent=agent).result == "busy"
    assert len(agent.calls) == 1


def test_every_attempt_is_told_with_its_number_and_whether_there_will_be_another() -> None:
    listener = Listener()
    run("export default agent('x', {retry: {maxAttempts: 2}})", agent=Agent(busy(), 1), listener=listener)
    assert [event["attempt"] for event in listener.of("agent_started")] == [1, 2]
    (failed,) = listener.of("agent_failed")
    assert (failed["attempt"], failed["willRetry"], failed["message"]) == (1, True, "busy")
    assert len(listener.of("agent_completed")) == 1


def test_the_last_attempt_is_told_to_be_the_last() -> None:
    listener = Listener()
    source = f"export default agent('x', {{retry: {{maxAttempts: 2}}}}){CAUGHT}"
    run(source, agent=Agent(busy()), listener=listener)
    assert [event["willRetry"] for event in listener.of("agent_failed")] == [True, False]


def test_retries_are_one_call_in_usage_and_census_but_each_costs_its_tokens() -> None:
    schema = "{schema: {type: 'string'}, retry: {maxAttempts: 2}}"
    outcome = run(f"export default agent('x', {schema})", agent=Agent(1, 2, "yes"))
    assert outcome.usage.agents == 1
    assert outcome.usage.tokens == 30
    assert (outcome.census.started, outcome.census.completed, outcome.census.failed) == (1, 1, 0)


def test_a_backoff_holds_no_slot() -> None:
    order: list[str] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        order.append(call.prompt)
        if order == ["retried"]:
            raise busy()
        return AgentAnswer(call.prompt)

    source = """export default parallel([
      () => agent('retried', {retry: {maxAttempts: 2, backoffMs: 50}}),
      () => agent('other'),
    ])"""
    assert run(source, agent=agent, max_agents=1).result == ["retried", "other"]
    assert order == ["retried", "other", "retried"]


def test_the_backoff_doubles_up_to_the_longest_wait() -> None:
    terms = Terms(max_attempts=10, backoff_ms=100, max_wait_ms=500)
    assert [terms.backoff_seconds(attempt) for attempt in (1, 2, 3, 4, 9)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_a_run_waits_at_least_as_long_as_its_backoffs() -> None:
    source = "export default agent('x', {retry: {maxAttempts: 3, backoffMs: 40}})"
    assert run(source, agent=Agent(busy(), busy(), 1)).usage.wall_seconds > 0.12


def test_a_run_may_end_while_an_attempt_is_waiting() -> None:
    listener = Listener()
    source = """agent('x', {retry: {maxAttempts: 2, backoffMs: 1e9}}); await agent('y'); export default 1"""
    outcome = run(source, agent=Agent(busy(), 1), listener=listener, max_agents=1)
    assert outcome.result == 1
    assert outcome.report.waiting == ("1",)


async def hang(_call: AgentCall) -> AgentAnswer:
    await trio.sleep_forever()
    raise AssertionError


def test_an_attempt_that_takes_too_long_is_cut() -> None:
    outcome = run(f"export default agent('x', {{timeoutMs: 20}}){CAUGHT}", agent=hang)
    assert outcome.result == "the agent took longer than options.timeoutMs (20 ms)"


def test_an_attempt_that_took_too_long_is_made_again() -> None:
    hung: list[str] = []

    async def hang_once(call: AgentCall) -> AgentAnswer:
        if not hung:
            hung.append(call.id)
            await trio.sleep_forever()
        return AgentAnswer("quick")

    source = "export default agent('x', {timeoutMs: 100, retry: {maxAttempts: 2}})"
    assert run(source, agent=hang_once).result == "quick"


def test_a_handler_that_fails_when_it_is_cut_ends_the_run() -> None:
    async def untidy(_call: AgentCall) -> AgentAnswer:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("untidy")

    error = failure("export default agent('x', {timeoutMs: 20})", agent=untidy)
    assert isinstance(error, HandlerFailed)


def test_time_in_the_queue_is_no_time_of_the_attempt() -> None:
    async def slow(call: AgentCall) -> AgentAnswer:
        await trio.sleep(0.4)
        return AgentAnswer(call.prompt)

    source = "export default parallel([1, 2, 3].map((n) => () => agent(`${n}`, {timeoutMs: 1000})))"
    assert run(source, agent=slow, max_agents=1).result == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{retry: 3}", "options.retry must be an object"),
        ("{retry: [3]}", "options.retry must be an object"),
        ("{retry: {attempts: 3}}", "options.retry has no member 'attempts'"),
        ("{retry: {maxAttempts: 0}}", "options.retry.maxAttempts must be a number from 1 to 10, not 0"),
        ("{retry: {maxAttempts: 11}}", "options.retry.maxAttempts must be a number from 1 to 10, not 11"),
        ("{retry: {maxAttempts: 2.5}}", "options.retry.maxAttempts must be a whole number, not 2.5"),
        ("{retry: {maxAttempts: '3'}}", "options.retry.maxAttempts must be a number from 1 to 10, not a str"),
        ("{retry: {maxAttempts: true}}", "options.retry.maxAttempts must be a number from 1 to 10, not True"),
        ("{retry: {backoffMs: -1}}", "options.retry.backoffMs must be a number from 0 to"),
        ("{retry: {backoffMs: 1e300}}", "options.retry.backoffMs must be a number from 0 to"),
        ("{timeoutMs: 0}", "options.timeoutMs must be a number from 1 to"),
        ("{timeoutMs: {}}", "options.timeoutMs must be a number from 1 to"),
    ],
)
def test_terms_that_make_no_sense_are_a_rejection_that_names_the_member(options: str, said: str) -> None:
    agent = Agent("never")
    outcome = run(f"export default agent('x', {options}){CAUGHT}", agent=agent)
    assert outcome.result.startswith(said)
    assert agent.calls == []
    assert outcome.census.refused == 1


def test_a_hundred_attempts_that_back_off_are_no_tasks() -> None:
    launcher, busy_calls = Launcher(), 0

    async def main() -> None:
        done = trio.Event()

        async def agent(_call: AgentCall) -> AgentAnswer:
            nonlocal busy_calls
            busy_calls += 1
            if busy_calls == 100:
                done.set()
            raise busy()

        options = RunOptions(agent=agent, launcher=launcher, timeout_seconds=60)
        source = """export default parallel(Array(100).fill(
          () => agent('x', {retry: {maxAttempts: 2, backoffMs: 1e8}})))"""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run_workflow(source, options=options))
            await done.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living < 30
            assert math.isfinite(trio.lowlevel.current_statistics().seconds_to_next_deadline)
            nursery.cancel_scope.cancel()

    trio.run(main)
    launcher.assert_nothing_left()
