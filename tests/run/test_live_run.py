"""`Host.open_run`: events and requests come, answers go, and the workflow core's rules hold all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import psutil
import pytest
import trio

from flowcage.host import (
    AgentCall,
    Handlers,
    Host,
    HostClosing,
    LiveRun,
    Overloaded,
    RequestNotWaiting,
    RunCancelled,
    RunOptions,
    Spawn,
    TenantLimits,
    Verdict,
    WorkflowFailed,
)
from flowcage.host.events.records import AgentFailed, Event, Gap, Requested, RunEnded
from flowcage.protocol.messages import SandboxExecRequest, WorkflowRequest

from ..host.left_over import nothing_left

DEADLINE = 300


def in_trio(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @wraps(test)
    def wrapper(**arguments: Any) -> None:
        async def bounded() -> None:
            with trio.fail_after(DEADLINE):
                await test(**arguments)

        with nothing_left():
            trio.run(bounded)

    return wrapper


async def request(run: LiveRun) -> Requested:
    """The next request, past other events."""
    async for event in run:
        if isinstance(event, Requested):
            return event
    raise AssertionError("the run ended without a request")


async def rest(run: LiveRun) -> list[Event]:
    return [event async for event in run]


@in_trio
async def test_every_kind_of_request_is_an_event_and_its_answer_reaches_the_workflow() -> None:
    source = """
        const a = await agent("hi", {label: "greeting"});
        const w = await workflow({scriptPath: "kid.js"}, [1]);
        const e = await SW.sandbox.exec("default", {command: "ls"});
        await SW.extra.sleep(1);
        export default [a, w, e]"""
    seen = []
    async with Host() as host, host.open_run(source) as run:
        async for event in run:
            if isinstance(event, Requested):
                seen.append(event.request)
                run.answer(event.request.id, f"answer {len(seen)}", tokens=len(seen))
        outcome = await run.outcome()
    assert outcome.result == ["answer 1", "answer 2", "answer 3"]
    assert outcome.usage.tokens == 1
    one, two, three = seen
    assert isinstance(one, AgentCall)
    assert (one.prompt, dict(one.options)) == ("hi", {"label": "greeting"})
    assert two == WorkflowRequest("2", {"scriptPath": "kid.js"}, [1])
    assert three == SandboxExecRequest("3", "default", {"command": "ls"})


@in_trio
async def test_events_come_as_in_any_run_with_the_requests_among_them() -> None:
    heard: list[Event] = []
    options = RunOptions(listener=heard.append)
    async with Host() as host, host.open_run('export default agent("q")', options=options) as run:
        events: list[Event] = []
        async for event in run:
            events.append(event)
            if isinstance(event, Requested):
                run.answer(event.request.id, "a")
    assert [event.to_json()["type"] for event in events] == [
        "started",
        "agent_queued",
        "agent_started",
        "requested",
        "agent_completed",
        "ended",
    ]
    assert {event.run_id for event in events} == {run.id}
    assert heard == events
    assert events[3].to_json()["request"] == {"type": "agent", "id": "1", "prompt": "q", "options": {}}


@in_trio
async def test_requests_may_be_answered_in_any_order_and_from_any_task() -> None:
    source = 'export default parallel(["a", "b", "c"].map((p) => () => agent(p)))'
    async with Host() as host, host.open_run(source) as run:
        ids = [(await request(run)).request.id for _ in range(3)]

        async def settle(number: str) -> None:
            run.answer(number, f"to {number}")

        async with trio.open_nursery() as nursery:
            for number in reversed(ids):
                nursery.start_soon(settle, number)
        assert (await run.outcome()).result == [f"to {number}" for number in ids]


@in_trio
async def test_a_rejection_is_an_error_in_the_workflow() -> None:
    source = 'export default agent("x").catch((error) => error.message)'
    async with Host() as host, host.open_run(source) as run:
        run.reject((await request(run)).request.id, "no agent today")
        assert (await run.outcome()).result == "no agent today"


@in_trio
async def test_an_answer_to_what_does_not_wait_is_refused_and_changes_nothing() -> None:
    async with Host() as host, host.open_run('export default agent("x")') as run:
        with pytest.raises(RequestNotWaiting, match="no request 'nonsense' waits"):
            run.answer("nonsense", 1)
        number = (await request(run)).request.id
        with pytest.raises(ValueError, match="tokens must be a whole number"):
            run.answer(number, 1, tokens=-1)
        run.answer(number, "first")
        for settle in (run.answer, run.reject):
            with pytest.raises(RequestNotWaiting) as caught:
                settle(number, "second")
            assert caught.value.request_id == number
        assert (await run.outcome()).result == "first"
    with pytest.raises(RequestNotWaiting):
        run.answer(number, "late")


@in_trio
async def test_a_rejected_agent_that_may_be_retried_is_requested_again() -> None:
    source = 'export default agent("x", {retry: {maxAttempts: 2, backoffMs: 1}})'
    async with Host() as host, host.open_run(source) as run:
        first = await request(run)
        run.reject(first.request.id, "busy")
        second = await request(run)
        assert second.request.id == first.request.id
        run.answer(second.request.id, "there")
        assert (await run.outcome()).result == "there"


@in_trio
async def test_an_answer_against_the_schema_is_asked_for_once_more_and_told_why() -> None:
    source = 'export default agent("x", {schema: {type: "integer"}})'
    async with Host() as host, host.open_run(source) as run:
        run.answer((await request(run)).request.id, "seven", tokens=3)
        again = await request(run)
        assert isinstance(again.request, AgentCall)
        assert "integer" in str(again.request.problem)
        assert again.to_json()["request"]["problem"] == again.request.problem
        run.answer(again.request.id, 7, tokens=4)
        outcome = await run.outcome()
    assert (outcome.result, outcome.usage.tokens) == (7, 7)


@in_trio
async def test_a_request_comes_only_when_it_has_a_slot() -> None:
    source = 'export default parallel(["a", "b"].map((p) => () => agent(p)))'
    async with Host() as host, host.open_run(source, options=RunOptions(max_agents=1)) as run:
        first = await request(run)
        assert run.statistics().agents_waiting == 2
        with pytest.raises(RequestNotWaiting):
            run.answer("2", "too early")
        run.answer(first.request.id, 1)
        run.answer((await request(run)).request.id, 2)
        assert (await run.outcome()).result == [1, 2]


@in_trio
async def test_a_hard_budget_rejects_what_would_be_requested_after_it() -> None:
    source = 'await agent("a"); export default agent("b").catch((error) => error.message)'
    options = RunOptions(budget_tokens=10)
    async with Host() as host, host.open_run(source, options=options) as run:
        run.answer((await request(run)).request.id, "ok", tokens=10)
        assert "10 of the budget's 10 tokens are spent" in str((await run.outcome()).result)


@in_trio
async def test_a_request_that_times_out_unread_leaves_the_stream_and_waits_no_more() -> None:
    source = 'export default agent("x", {timeoutMs: 5}).catch((error) => error.message)'
    async with Host() as host, host.open_run(source) as run:
        assert "timeoutMs" in str((await run.outcome()).result)
        with pytest.raises(RequestNotWaiting):
            run.answer("1", "too late")
        events = await rest(run)
    assert not any(isinstance(event, Requested) for event in events)
    assert any(isinstance(event, AgentFailed) for event in events)


@in_trio
async def test_a_reader_that_is_too_slow_loses_logs_but_no_request() -> None:
    source = """
        const first = agent("first");
        for (let i = 0; i < 20000; i++) log(i);
        await first;
        for (let i = 0; i < 20000; i++) log(i);
        export default agent("second")"""
    async with Host() as host, host.open_run(source) as run:
        events = []
        async for event in run:
            events.append(event)
            if isinstance(event, Requested):
                run.answer(event.request.id, "ok")
        assert (await run.outcome()).result == "ok"
    assert sum(isinstance(event, Requested) for event in events) == 2
    assert any(isinstance(event, Gap) for event in events)
    assert len(events) < 40_000
    assert isinstance(events[-1], RunEnded)


@in_trio
async def test_leaving_the_block_early_kills_the_child_and_tells_who_waits_for_the_outcome() -> None:
    caught: list[BaseException] = []

    async def wait(run: LiveRun) -> None:
        try:
            await run.outcome()
        except RunCancelled as error:
            caught.append(error)

    async with Host(launcher=Spawn) as host, trio.open_nursery() as nursery:
        limits = {"cpuSeconds": 90}  # not the host's own, for which it keeps children in reserve
        others = set(psutil.Process().children())
        with nothing_left():
            async with host.open_run('export default agent("x")', limits=limits) as run:
                nursery.start_soon(wait, run)
                await request(run)
                assert len(set(psutil.Process().children()) - others) == 1
        ended = (await rest(run))[-1]
        assert isinstance(ended, RunEnded)
        assert ended.verdict == "cancelled"
    assert len(caught) == 1


@in_trio
async def test_an_error_in_the_block_leaves_it_as_it_is() -> None:
    async with Host() as host:
        with pytest.raises(KeyError, match="mine"):
            async with host.open_run("export default SW.extra.sleep(1e6)"):
                raise KeyError("mine")
        assert host.statistics().scheduler.tally.running == 0


@in_trio
async def test_cancelling_around_the_block_ends_the_run() -> None:
    async with Host() as host:
        with trio.CancelScope() as scope:
            async with host.open_run('export default agent("x")') as run:
                await request(run)
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert host.statistics().scheduler.tally.running == 0


@in_trio
async def test_a_run_that_fails_says_so_by_its_outcome_not_in_the_block() -> None:
    async with Host() as host, host.open_run('throw new Error("boom"); export default 1') as run:
        ended = (await rest(run))[-1]
        assert isinstance(ended, RunEnded)
        assert ended.verdict == "failed"
        for _ in range(2):
            with pytest.raises(WorkflowFailed, match="boom") as caught:
                await run.outcome()
        assert caught.value.report.verdict is Verdict.FAILED


@in_trio
async def test_an_overload_or_a_bad_name_is_raised_on_entering() -> None:
    async with Host(default=TenantLimits(max_runs=1, max_queued=0)) as host:
        async with host.open_run("export default SW.extra.sleep(1e6)"):
            with pytest.raises(Overloaded):
                async with host.open_run("export default 1"):
                    raise AssertionError
        with pytest.raises(ValueError, match="1 to 256 characters"):
            async with host.open_run("export default 1", tenant=""):
                raise AssertionError
        with pytest.raises(ValueError, match="no limit 'speed'"):
            async with host.open_run("export default 1", limits={"speed": 1}):
                raise AssertionError


@in_trio
async def test_closing_the_host_ends_live_runs_but_not_their_blocks() -> None:
    opened = trio.Event()
    results: list[str] = []

    async def use(host: Host) -> None:
        async with host.open_run('export default agent("x")') as run:
            opened.set()
            events = await rest(run)
            assert isinstance(events[-1], RunEnded)
            results.append(events[-1].verdict)
            with pytest.raises(HostClosing):
                await run.outcome()
            results.append("went on")
        with pytest.raises(HostClosing):
            async with host.open_run("export default 1"):
                raise AssertionError

    async with trio.open_nursery() as nursery, Host() as host:
        nursery.start_soon(use, host)
        await opened.wait()
    assert results == ["host_shutdown", "went on"]


@in_trio
async def test_a_host_outside_of_its_block_opens_no_run() -> None:
    with pytest.raises(HostClosing):
        async with Host().open_run("export default 1"):
            raise AssertionError


@in_trio
async def test_statistics_tell_of_a_run_while_it_goes_on_and_when_it_is_over() -> None:
    source = 'export default [await agent("a"), await agent("b").catch(() => 0), await agent("c")]'
    async with Host() as host, host.open_run(source) as run:
        one = await request(run)
        began = run.statistics()
        assert (began.agents_started, began.agents_waiting, began.agents_completed) == (1, 1, 0)
        assert min(began.messages, began.bytes_sent, began.bytes_received, began.wall_seconds) > 0
        run.answer(one.request.id, 1, tokens=5)
        run.reject((await request(run)).request.id, "no")
        run.answer((await request(run)).request.id, 3, tokens=6)
        outcome = await run.outcome()
        after = run.statistics()
    assert (after.agents_started, after.agents_completed, after.agents_failed) == (3, 2, 1)
    assert (after.agents_waiting, after.tokens) == (0, 11)
    usage = outcome.usage
    assert (after.messages, after.bytes_sent, after.bytes_received) == (
        usage.messages,
        usage.bytes_sent,
        usage.bytes_received,
    )
    assert after.wall_seconds == usage.wall_seconds


@in_trio
async def test_handlers_of_the_hosts_options_are_not_asked() -> None:
    async def never(_call: AgentCall) -> Any:
        raise AssertionError

    options = RunOptions(**Handlers(agent=never)._asdict())
    async with Host(options=options) as host, host.open_run('export default agent("x")') as run:
        run.answer((await request(run)).request.id, "mine")
        assert (await run.outcome()).result == "mine"
