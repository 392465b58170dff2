"""``options.retry`` and ``options.timeoutMs``, which any workflow may set to anything."""

from __future__ import annotations

import math

import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, HandlerFailed, RunOptions, run_workflow

from ..host.children import Launcher
from ..host.runs import Agent, Listener, busy, failure, run

CAUGHT = ".catch((error) => error.message)"


def test_every_attempt_is_told_with_its_number_and_whether_there_will_be_another() -> None:
    listener = Listener()
    run("export default agent('x', {retry: {maxAttempts: 2}})", agent=Agent(busy(), 1), listener=listener)
    assert [event["attempt"] for event in listener.of("agent_started")] == [1, 2]
    (failed,) = listener.of("agent_failed")
    assert (failed["attempt"], failed["willRetry"], failed["message"]) == (1, True, "busy")
    assert len(listener.of("agent_completed")) == 1


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

        options = RunOptions(agent=agent, launcher=launcher, timeout_seconds=300)
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
