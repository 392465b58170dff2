"""A host that takes runs from the queue of its store, and what becomes of them when it ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from flowcage import AgentAnswer, AgentCall, Host, RunOptions, SqliteStore, TenantLimits, Worker
from flowcage.agents import AgentsUnavailable
from flowcage.errors import RunCancelled, WorkflowFailed
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.records import Filter, Summary
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.tenants.working import taking

from ..resume.sleepers import AT_ONCE, DAY, DEADLINE_S, RESULT, SLEEPY, Agents, Clock, opened, tick, until

TWO_CALLS = "export default [await agent('one'), await agent('two')]"
ASKS = "export default await agent('one')"


def worker(store: SqliteStore, agent: Any, **more: Any) -> Host:
    """A host that takes from the usual pool; its runs fall asleep at once."""
    options = RunOptions(agent=agent, timeout_seconds=120, **more.pop("options", {}))
    return Host(store=store, options=options, **{"hibernation": AT_ONCE, "worker": True, **more})


def client(store: SqliteStore) -> Host:
    """A host that puts runs into the queue and takes none."""
    return Host(store=store, options=RunOptions())


async def ended(store: SqliteStore, run_id: str) -> Summary:
    return await until(store, run_id, "ended")


async def result(store: SqliteStore, run_id: str) -> Any:
    assert (await ended(store, run_id)).verdict == "completed"
    ending = (await store.load(run_id)).ending
    assert ending is not None
    return ending.result


class Gate:
    """An agent that answers when the gate is open, and notes what it was asked."""

    def __init__(self, *closed: str) -> None:
        self.asked: list[str] = []
        self.open = trio.Event()
        self._closed = closed

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        if call.prompt in self._closed:
            await self.open.wait()
        return AgentAnswer(f"<{call.prompt}>", tokens=10)

    async def was_asked(self, prompt: str) -> None:
        with trio.fail_after(DEADLINE_S):
            while prompt not in self.asked:  # noqa: ASYNC110
                await trio.sleep(0.01)


def test_a_run_of_the_queue_is_carried_out_by_a_worker_of_another_host(tmp_path: Path) -> None:
    async def main() -> None:
        agents = Agents()
        async with (
            opened(tmp_path, Clock()) as one,
            opened(tmp_path, Clock()) as two,
            client(one) as asks,
            worker(two, agents),
        ):
            run_id = await asks.submit("export default [await agent('one'), args]", args={"a": 1})
            assert await result(one, run_id) == ["<one>", {"a": 1}]
        assert agents.asked == ["one"]

    trio.run(main)


def test_a_second_submission_with_the_key_is_the_same_run(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store, client(store) as asks:
            first = await asks.submit(ASKS, key="once")
            assert await asks.submit(ASKS, key="once") == first
            assert await asks.submit(ASKS, key="twice") != first
            assert await asks.submit(ASKS, key="once", tenant="other") != first

    trio.run(main)


def test_a_worker_takes_no_more_than_it_has_slots_for(tmp_path: Path) -> None:
    async def main() -> None:
        gate = Gate("one")
        async with (
            opened(tmp_path, Clock()) as store,
            worker(store, gate, worker=Worker(slots=2)) as works,
        ):
            names = [await works.submit(ASKS, args=number) for number in range(5)]
            with trio.fail_after(DEADLINE_S):
                while len(gate.asked) < 2:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            queued = await store.runs(Filter(states=["queued"]))
            assert {each.run_id for each in queued} == set(names[2:])
            gate.open.set()
            assert [await result(store, name) for name in names] == ["<one>"] * 5

    trio.run(main)


def test_a_worker_takes_runs_of_its_pools_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            opened(tmp_path, Clock()) as store,
            worker(store, Agents(), worker=Worker(pools=["gpu"])) as works,
        ):
            usual = await works.submit(ASKS)
            gpu = await works.submit(ASKS, pool="gpu")
            assert await result(store, gpu) == "<one>"
            assert (await store.get(usual)).state == "queued"

    trio.run(main)


def test_a_run_begins_no_earlier_than_it_may(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as store, worker(store, Agents()) as works:
            later = await works.submit(ASKS, not_before=clock.now + DAY)
            assert await result(store, await works.submit(ASKS)) == "<one>"
            assert (await store.get(later)).state == "queued"
            await tick(clock, store, DAY)
            assert await result(store, later) == "<one>"

    trio.run(main)


def test_what_sleeps_is_woken_by_another_worker(tmp_path: Path) -> None:
    async def main() -> None:
        agents, clock = Agents(), Clock()
        async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
            async with worker(one, agents) as works:
                run_id = await works.submit(SLEEPY)
                await until(one, run_id, "asleep")
            async with worker(two, agents):
                await tick(clock, two, DAY)
                assert await result(two, run_id) == RESULT
        assert agents.asked == ["before", "after <before>"]

    trio.run(main)


def test_a_worker_that_is_drained_hands_over_what_does_not_end_in_time(tmp_path: Path) -> None:
    async def main() -> None:
        first, second, clock = Gate("two"), Gate(), Clock()
        async with (
            opened(tmp_path, clock) as one,
            opened(tmp_path, clock) as two,
            worker(one, first) as works,
        ):
            run_id = await works.submit(TWO_CALLS)
            await first.was_asked("two")
            with trio.fail_after(DEADLINE_S):
                await works.drain(0)
            assert (await one.get(run_id)).state == "queued"
            left = await works.submit(ASKS)
            async with worker(two, second):
                assert await result(two, run_id) == ["<one>", "<two>"]
                assert await result(two, left) == "<one>"
        assert first.asked == ["one", "two"]
        assert sorted(second.asked) == ["one", "two"]  # the latter of the run that was left

    trio.run(main)


def test_draining_waits_for_what_ends_in_time(tmp_path: Path) -> None:
    async def main() -> None:
        gate = Gate("two")
        async with opened(tmp_path, Clock()) as store, worker(store, gate) as works:
            run_id = await works.submit(TWO_CALLS)
            await gate.was_asked("two")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(works.drain, DEADLINE_S)
                await trio.testing.wait_all_tasks_blocked()
                gate.open.set()
            assert (await store.get(run_id)).verdict == "completed"
        assert gate.asked == ["one", "two"]

    trio.run(main)


def test_whoever_drains_with_time_returns_when_all_is_handed_over(tmp_path: Path) -> None:
    async def main() -> None:
        gate = Gate("one")
        async with opened(tmp_path, Clock()) as store, worker(store, gate) as works:
            await works.submit(ASKS)
            await gate.was_asked("one")
            with trio.fail_after(DEADLINE_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(works.drain, 10 * DEADLINE_S)
                    await works.until_drained()
                    await works.drain(0)

    trio.run(main)


def test_draining_puts_to_sleep_what_only_waits(tmp_path: Path) -> None:
    waits = "await agent('before'); await SW.extra.sleep(3600000); export default 1"

    async def main() -> None:
        agents = Agents()
        async with opened(tmp_path, Clock()) as store, worker(store, agents, hibernation=LATER) as works:
            run_id = await works.submit(waits)
            with trio.fail_after(DEADLINE_S):
                while not agents.asked:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                await works.drain(DEADLINE_S)
            summary = await store.get(run_id)
            assert (summary.state, summary.sleeps) == ("asleep", 1)

    trio.run(main)


LATER = AT_ONCE._replace(idle_seconds=1000.0)


def test_a_host_that_closes_leaves_its_runs_in_the_queue(tmp_path: Path) -> None:
    async def main() -> None:
        gate = Gate("two")
        async with opened(tmp_path, Clock()) as store:
            async with worker(store, gate) as works:
                run_id = await works.submit(TWO_CALLS)
                await gate.was_asked("two")
            assert (await store.get(run_id)).state == "queued"

    trio.run(main)


def test_a_run_that_this_worker_cannot_answer_goes_back_with_the_reason(tmp_path: Path) -> None:
    async def nobody(*_: Any) -> Any:
        raise AssertionError("not asked")

    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
            async with Host(store=one, options=RunOptions(sandbox_exec=nobody)) as asks:
                run_id = await asks.submit("export default 1")
            async with worker(one, Agents()):
                with trio.fail_after(DEADLINE_S):
                    while not (await one.get(run_id)).held:  # noqa: ASYNC110
                        await trio.sleep(0.01)
                summary = await one.get(run_id)
                assert summary.state == "queued"
                assert "sandbox_exec" in summary.held
            async with worker(two, Agents(), options={"sandbox_exec": nobody}):
                await tick(clock, two, DAY)
                assert await result(two, run_id) == 1

    trio.run(main)


def test_the_limits_that_a_run_was_submitted_with_are_the_workers(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store, worker(store, Agents()) as works:
            options = RunOptions(timeout_seconds=0.001)
            run_id = await works.submit("await new Promise(() => {}); export default 1", options=options)
            assert (await ended(store, run_id)).verdict in ("wall_timeout", "stalled")

    trio.run(main)


def test_start_in_a_worker_gives_a_handle_of_a_run_that_anybody_may_take(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store, worker(store, Agents()) as works:
            handle = await works.start(ASKS, key="k")
            assert handle.state == "elsewhere"
            with trio.fail_after(DEADLINE_S):
                assert (await handle.outcome()).result == "<one>"
                again = await works.start(ASKS, key="k")
                assert (again.run_id, (await again.outcome()).result) == (handle.run_id, "<one>")
                failed = await works.start("throw new Error('x')")
                with pytest.raises(WorkflowFailed, match="x"):
                    await failed.outcome()
            with pytest.raises(ValueError, match="agent is of this call alone"):
                await works.start(ASKS, options=RunOptions(agent=Agents()))

    trio.run(main)


def test_a_handle_cancels_its_run_wherever_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        gate, clock = Gate("two"), Clock()
        async with opened(tmp_path, clock) as store, worker(store, gate) as works:
            later = await works.start(TWO_CALLS)
            await gate.was_asked("two")
            with trio.fail_after(DEADLINE_S):
                await later.cancel()
                with pytest.raises(RunCancelled):
                    await later.outcome()
            assert (await store.get(later.run_id)).verdict == "cancelled"

    trio.run(main)


def test_what_is_no_worker_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        (lambda _: Host(worker=True), "worker needs a store"),
        (lambda store: Host(store=store, worker=cast(Any, "gpu")), "worker must be a Worker"),
        (lambda _: Worker(slots=0), "slots must be a whole number above 0"),
        (lambda _: Worker(pools="gpu"), r"pools must be texts, such as \('', 'gpu'\)"),
        (lambda _: Worker(pools=()), "pools must have one name at least"),
        (lambda _: Worker(pools=("a\nb",)), "each of pools must have at most 100 printable"),
        (lambda _: Worker(name="x" * 101), "name must have at most 100 printable"),
    ]

    async def main() -> None:
        async with opened(tmp_path, Clock()) as store:
            for make, why in cases:
                with pytest.raises((TypeError, ValueError), match=why):
                    make(store)

    trio.run(main)


def test_what_is_no_place_in_the_queue_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"priority": 1.5}, "priority must be a whole number"),
        ({"retries": -1}, "retries must be a whole number from 0"),
        ({"not_before": "soon"}, "not_before must be a time in milliseconds"),
        ({"pool": "a\tb"}, "pool must have at most 100 printable"),
        ({"key": ""}, "key must have 1 to 500 characters"),
    ]

    async def main() -> None:
        async with opened(tmp_path, Clock()) as store, client(store) as asks:
            for given, why in cases:
                with pytest.raises((TypeError, ValueError), match=why):
                    await asks.submit(ASKS, **given)
            assert await store.runs() == []

    trio.run(main)


class Unavailable:
    """An agent whose account is used up, for so many calls."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked: list[str] = []

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        await trio.lowlevel.checkpoint()
        if call.prompt == "two" and self.left:
            self.left -= 1
            raise AgentsUnavailable("no credit")
        return AgentAnswer(f"<{call.prompt}>")


def test_a_run_is_tried_again_as_often_as_it_was_submitted_with(tmp_path: Path) -> None:
    async def main() -> None:
        clock, agent = Clock(), Unavailable(3)
        async with opened(tmp_path, clock) as store, worker(store, agent) as works:
            run_id = await works.submit(TWO_CALLS, retries=2)
            for number in (1, 2):
                summary = await put_back(store, run_id, number)
                assert f"no credit; try {number + 1} of 3 follows" in summary.held
                assert summary.wake_at is not None
                await tick(clock, store, summary.wake_at - clock.now)
            summary = await ended(store, run_id)
            assert (summary.verdict, summary.tries) == ("agents_unavailable", 2)
        assert agent.asked == ["one", "two", "two", "two"]  # the first answer is kept

    trio.run(main)


def test_a_run_without_retries_ends_as_it_did(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store, worker(store, Unavailable(1)) as works:
            summary = await ended(store, await works.submit(TWO_CALLS))
            assert (summary.verdict, summary.tries) == ("agents_unavailable", 0)
            again = await works.submit("throw new Error('x')", retries=2)
            assert (await ended(store, again)).verdict == "failed"  # its own doing

    trio.run(main)


async def put_back(store: SqliteStore, run_id: str, tries: int) -> Summary:
    with trio.fail_after(DEADLINE_S):
        while (summary := await store.get(run_id)).tries < tries:  # noqa: ASYNC110
            await trio.sleep(0.01)
    return summary


def test_a_worker_that_can_start_no_child_leaves_its_runs_to_others(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
            broken = {"launcher": lambda: Spawn(("/nowhere/child",))}
            async with worker(one, Agents(), **broken) as works:
                run_id = await works.submit(ASKS)
                summary = await put_back(one, run_id, 1)
                assert "not_started" in summary.held
                left = await works.submit(ASKS)
                async with worker(two, Agents()):
                    await tick(clock, two, DAY)
                    assert await result(two, run_id) == "<one>"
                    assert await result(two, left) == "<one>"
                    assert (await two.get(left)).tries == 0  # the broken one takes nothing for a while

    trio.run(main)


def test_a_worker_whose_store_takes_nothing_any_more_says_so(tmp_path: Path) -> None:
    def fault(_where: str) -> None:
        if is_broken:
            raise sqlite3.DatabaseError("the disk is gone")

    is_broken: list[bool] = []

    async def main() -> None:
        async with opened(tmp_path, Clock(), fault=fault) as store, worker(store, Agents()) as works:
            assert await result(store, await works.submit(ASKS)) == "<one>"
            is_broken.append(True)
            with trio.fail_after(DEADLINE_S), pytest.raises(StoreFailed, match="the disk is gone"):
                await works.until_drained()

    trio.run(main)


def test_a_worker_of_another_build_leaves_what_it_cannot_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        gate, clock = Gate("two"), Clock()
        async with opened(tmp_path, clock) as store:
            monkeypatch.setattr(taking, "mark", lambda: "old")
            async with worker(store, gate) as works:
                begun = await works.submit(TWO_CALLS)
                await gate.was_asked("two")
                with trio.fail_after(DEADLINE_S):
                    await works.drain(0)
            monkeypatch.setattr(taking, "mark", lambda: "new")
            async with worker(store, Agents()) as works:
                assert await result(store, await works.submit(ASKS)) == "<one>"
                assert (await store.get(begun)).state == "queued"
                with trio.fail_after(DEADLINE_S):
                    while not (summary := await store.get(begun)).held:  # noqa: ASYNC110
                        await trio.sleep(0.01)
                assert "old" in summary.held
            async with worker(store, Agents(), worker=Worker(marks=["old"])):
                assert await result(store, begun) == ["<one>", "<two>"]

    trio.run(main)


def test_the_limits_of_a_tenant_hold_over_all_workers(tmp_path: Path) -> None:
    async def main() -> None:
        gate, clock, limits = Gate("one"), Clock(), {"small": TenantLimits(max_runs=1)}
        async with (
            opened(tmp_path, clock) as one,
            opened(tmp_path, clock) as two,
            worker(one, gate, tenants=limits) as works,
            worker(two, gate, tenants=limits),
        ):
            names = [await works.submit(ASKS, tenant="small", args=number) for number in range(3)]
            other = await works.submit("export default 1", tenant="large")
            assert await result(one, other) == 1
            states = sorted([(await one.get(each)).state for each in names])
            assert states == ["queued", "queued", "running"]
            gate.open.set()
            assert [await result(one, each) for each in names] == ["<one>"] * 3

    trio.run(main)
