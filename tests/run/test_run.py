"""Running a workflow from Python: results, handlers, limits, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    CannotSend,
    ChildDied,
    HandlerFailed,
    Limits,
    Outcome,
    RequestRejected,
    RunError,
    RunOptions,
    RunTimedOut,
    WorkflowFailed,
    WorkflowStalled,
    run_workflow,
    run_workflow_blocking,
)
from flowcage.host.events.records import AgentCompleted, AgentFailed, AgentStarted, Event, RunEnded
from flowcage.protocol.layers import STRICT_LAYERS

from ..host.children import Launcher

Handler = Callable[[AgentCall], Awaitable[AgentAnswer]]


async def upper(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(call.prompt.upper(), tokens=10)


def run(source: str, args: Any = None, **options: Any) -> Outcome:
    launcher = Launcher()
    given = RunOptions(**{"agent": upper, "launcher": launcher, **options})
    try:
        return run_workflow_blocking(source, args=args, options=given)
    finally:
        launcher.assert_nothing_left()


def failure(source: str, **options: Any) -> RunError:
    with pytest.raises(RunError) as caught:
        run(source, **options)
    return caught.value


def test_the_outcome_has_result_logs_phases_and_usage() -> None:
    outcome = run(
        'phase("One"); log("a", {b: 1}); export default async (args) => [args, await agent("hi")]', [7]
    )
    assert outcome.result == [[7], "HI"]
    assert outcome.logs == (("a", {"b": 1}),)
    assert outcome.phases == ("One",)
    usage = outcome.usage
    assert (usage.agents, usage.tokens) == (1, 10)
    assert usage.wall_seconds > 0
    assert usage.user_cpu_seconds > 0
    assert usage.peak_rss_bytes > 1_000_000
    assert usage.bytes_sent > 100
    assert usage.bytes_received > 100


def test_what_held_the_child_is_in_the_report() -> None:
    isolation = run("export default 1").report.isolation
    assert {name for name, layer in isolation.items() if layer.applied} >= set(STRICT_LAYERS)


def test_requests_are_answered_at_the_same_time() -> None:
    gate = {"waiting": 0}
    all_here = trio.Event()

    async def meet(call: AgentCall) -> AgentAnswer:
        gate["waiting"] += 1
        if gate["waiting"] == 3:
            all_here.set()
        await all_here.wait()
        return AgentAnswer(call.id)

    source = "export default parallel([1, 2, 3].map((n) => () => agent(`${n}`)))"
    assert run(source, agent=meet).result == ["1", "2", "3"]


def test_no_more_agents_work_at_once_than_max_agents() -> None:
    working: list[int] = [0, 0]

    async def count(call: AgentCall) -> AgentAnswer:
        working[0] += 1
        working[1] = max(working)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        working[0] -= 1
        return AgentAnswer(call.id)

    source = "export default parallel(Array.from({length: 20}, (_, n) => () => agent(`${n}`)))"
    assert len(run(source, agent=count, max_agents=2).result) == 20
    assert working[1] == 2


def test_agents_start_in_the_order_of_their_calls() -> None:
    started: list[str] = []

    async def note(call: AgentCall) -> AgentAnswer:
        started.append(call.id)
        return AgentAnswer(None)

    run(
        "export default parallel(Array.from({length: 50}, () => () => agent('x')))",
        agent=note,
        max_agents=1,
    )
    assert started == [str(number) for number in range(1, 51)]


def test_the_budget_that_a_workflow_sees_counts_what_agents_reported() -> None:
    source = """export default async () => {
      await agent("a");
      return [budget.total, budget.spent(), budget.remaining()];
    }"""
    assert run(source, budget_tokens=100).result == [100, 10, 90]


def test_a_rejected_request_is_an_error_in_the_workflow() -> None:
    async def reject(call: AgentCall) -> AgentAnswer:
        raise RequestRejected(f"not today: {call.prompt}")

    error = failure('export default agent("x")', agent=reject)
    assert isinstance(error, WorkflowFailed)
    assert (error.kind, error.data["message"]) == ("exception", "not today: x")


def test_a_handler_with_a_bug_ends_the_run_and_is_named() -> None:
    async def broken(call: AgentCall) -> AgentAnswer:
        raise KeyError(call.prompt)

    error = failure('export default agent("x")', agent=broken)
    assert isinstance(error, HandlerFailed)
    assert isinstance(error.__cause__, KeyError)


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), "x" * 9_000_000, b"bytes"])
def test_an_answer_that_cannot_cross_is_a_rejection_that_says_why(value: Any) -> None:
    async def odd(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer(value)

    error = failure('export default agent("x")', agent=odd)
    assert isinstance(error, WorkflowFailed)
    assert "the host's answer cannot be sent" in error.data["message"]


def test_args_too_long_to_cross_are_refused_before_anything_runs() -> None:
    with pytest.raises(CannotSend, match="cannot be sent"):
        run_workflow_blocking("export default args", args="x" * 9_000_000)


def test_a_workflow_error_has_kind_name_message_and_the_authors_frames() -> None:
    error = failure('const f = () => { throw new RangeError("no") };\nexport default () => f();')
    assert isinstance(error, WorkflowFailed)
    assert error.kind == "exception"
    assert error.data["name"] == "RangeError"
    assert "workflow.js:1:" in error.stack
    assert error.child_alive
    assert error.report.usage.wall_seconds > 0


def test_logs_and_phases_of_a_failed_run_are_in_its_report() -> None:
    error = failure('phase("P"); log("l"); export default () => { throw 1 }')
    assert error.report.logs == (("l",),)
    assert error.report.phases == ("P",)


def test_a_failure_does_not_wait_for_requests_that_nobody_awaits() -> None:
    async def never(_call: AgentCall) -> AgentAnswer:
        await trio.sleep_forever()
        raise AssertionError

    error = failure('agent("x"); export default () => { throw new Error("now") }', agent=never)
    assert isinstance(error, WorkflowFailed)


def test_completion_does_not_wait_for_requests_that_nobody_awaits() -> None:
    async def never(_call: AgentCall) -> AgentAnswer:
        await trio.sleep_forever()
        raise AssertionError

    assert run('export default async () => { agent("x"); return 3 }', agent=never).result == 3


def test_a_workflow_that_can_never_finish_is_an_error_at_once() -> None:
    error = failure("export default new Promise(() => {})")
    assert isinstance(error, WorkflowStalled)


def test_a_busy_child_is_killed_at_the_wall_clock_limit() -> None:
    error = failure("for (;;);", timeout_seconds=0.3)
    assert isinstance(error, RunTimedOut)


def test_a_step_limit_shorter_than_the_wall_clock_is_a_workflow_failure() -> None:
    error = failure("for (;;);", limits=Limits(step_timeout_ms=100))
    assert isinstance(error, WorkflowFailed)
    assert error.kind == "timeout"


def test_cancelling_kills_and_reaps_the_child() -> None:
    launcher = Launcher()

    async def main() -> None:
        started = trio.Event()

        def listen(_event: Event) -> None:
            started.set()

        async with trio.open_nursery() as nursery:
            options = RunOptions(launcher=launcher, listener=listen, timeout_seconds=300)
            nursery.start_soon(lambda: run_workflow("for (;;);", options=options))
            await started.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)
    launcher.assert_nothing_left()


def test_a_child_killed_from_outside_is_a_typed_error() -> None:
    launcher = Launcher()

    async def kill(_call: AgentCall) -> AgentAnswer:
        os.kill(launcher.pids[0], signal.SIGKILL)
        await trio.sleep_forever()
        raise AssertionError

    options = RunOptions(agent=kill, launcher=launcher)
    with pytest.raises(ChildDied) as caught:
        run_workflow_blocking('export default agent("x")', options=options)
    launcher.assert_nothing_left()
    assert caught.value.signal == "SIGKILL"
    assert not caught.value.child_alive
    assert caught.value.report.waiting == ("1",)


def test_sleep_waits_on_the_hosts_clock() -> None:
    outcome = run("export default async () => { await SW.extra.sleep(30); return 1 }")
    assert outcome.result == 1
    assert outcome.usage.wall_seconds >= 0.03


def test_sandbox_exec_is_refused_unless_a_handler_is_registered() -> None:
    source = 'export default SW.sandbox.exec("p", {command: "ls"})'
    error = failure(source)
    assert isinstance(error, WorkflowFailed)
    assert "no handler" in error.data["message"]

    async def handle(request: Any) -> Any:
        return [request.profile, request.request]

    assert run(source, sandbox_exec=handle).result == ["p", {"command": "ls"}]


def test_events_tell_the_story_in_order() -> None:
    heard: list[Event] = []

    async def picky(call: AgentCall) -> AgentAnswer:
        if call.prompt == "b":
            raise RequestRejected("no b")
        return AgentAnswer(1)

    source = """export default async () => {
      await agent("a", {label: "L"});
      await agent("b").catch(() => 0);
      return 1;
    }"""
    run(source, agent=picky, listener=heard.append)
    kinds = [event.to_json()["type"] for event in heard]
    assert kinds == [
        "started",
        "agent_queued",
        "agent_started",
        "agent_completed",
        "agent_queued",
        "agent_started",
        "agent_failed",
        "ended",
    ]
    assert [event.at for event in heard] == sorted(event.at for event in heard)
    assert [event.seq for event in heard] == list(range(1, len(heard) + 1))
    assert isinstance(heard[2], AgentStarted)
    assert heard[2].label == "L"
    assert isinstance(heard[3], AgentCompleted)
    assert heard[3].value == 1
    assert isinstance(heard[6], AgentFailed)
    assert heard[6].message == "no b"
    assert isinstance(heard[7], RunEnded)
    assert heard[7].error is None
    assert (heard[7].census.completed, heard[7].census.failed) == (1, 1)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("throw new Error('at once')", ["started", "ended"]),
        ("log(1); throw new Error('after a word')", ["started", "log", "ended"]),
        ("for (;;);", ["started", "ended"]),
        ("export default (", ["ended"]),
        ("import 'fs'; export default 1", ["ended"]),
    ],
)
def test_a_run_that_fails_has_started_if_its_source_could_be_run(source: str, told: list[str]) -> None:
    heard: list[Event] = []
    with pytest.raises(WorkflowFailed):
        run(source, listener=heard.append, limits=Limits(step_timeout_ms=200))
    assert [event.to_json()["type"] for event in heard] == told


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("timeout_seconds", 0),
        ("timeout_seconds", float("nan")),
        ("max_agents", 0),
        ("max_children", 0),
        ("max_total_agents", True),
        ("budget_tokens", -1),
        ("budget_tokens", 1.5),
        ("budget_tokens", 2**53),
        ("agent_failure", "nothing"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(member: str, value: Any) -> None:
    with pytest.raises(ValueError, match=member):
        RunOptions(**{member: value})
