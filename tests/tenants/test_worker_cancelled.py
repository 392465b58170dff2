"""A worker that is cancelled from outside, at any of its steps, hands over what it has taken."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import psutil
import pytest
import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions, SqliteStore, Worker
from flowcage.host.run.core.inputs import Answered
from flowcage.host.run.past.hibernation import Hibernation

from ..resume.sleepers import DEADLINE_S, Agents, until

NAPS = Hibernation(idle_seconds=0, min_wait_seconds=0.001, cpu_factor=0, nap_seconds=1)
SLEEPS = "const a = await agent('one'); await SW.extra.sleep(30); export default [a, await agent('two')]"
ASKS = "export default await agent('one')"


class Step(trio.abc.Instrument):
    """Cancels a scope before the n-th step of any task."""

    def __init__(self, number: int, scope: trio.CancelScope) -> None:
        self._left, self._scope = number, scope

    def before_task_step(self, _task: object) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


class Counting:
    """Agents that count how often they are asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked[call.run_id, call.prompt] += 1
        await trio.lowlevel.checkpoint()
        return AgentAnswer(f"<{call.prompt}>", tokens=1)


class Blocked:
    """An agent that never answers, and says when it was asked."""

    def __init__(self) -> None:
        self.was_asked = trio.Event()

    async def __call__(self, _call: AgentCall) -> AgentAnswer:
        self.was_asked.set()
        await trio.sleep_forever()
        raise AssertionError


def worker(store: SqliteStore, agent: Counting | Blocked | Agents) -> Host:
    options = RunOptions(agent=agent, timeout_seconds=DEADLINE_S)
    return Host(store=store, options=options, hibernation=NAPS, worker=Worker(slots=2))


def held_by_us() -> tuple[int, int]:
    """Descriptors, and processes below this one."""
    return len(os.listdir("/proc/self/fd")), len(psutil.Process().children(recursive=True))


async def ended(store: SqliteStore, run_ids: list[str]) -> None:
    for run_id in run_ids:
        await until(store, run_id, "ended")


async def cancelled_at(number: int, folder: Path) -> bool:
    """Cancel a worker at a step, and have another one go on. Whether it had so many."""
    store, agents = SqliteStore.open(folder / "runs.db", durability="relaxed"), Counting()
    try:
        async with Host(store=store, options=RunOptions(agent=agents)) as client:
            run_ids = [await client.submit(SLEEPS) for _ in range(2)]
        before = held_by_us()
        with trio.CancelScope() as scope:
            step = Step(number, scope)
            trio.lowlevel.add_instrument(step)
            try:
                async with worker(store, agents):
                    await ended(store, run_ids)
            finally:
                trio.lowlevel.remove_instrument(step)
        with trio.fail_after(DEADLINE_S):  # what was given to the store may still be on its way
            while "running" in [each.state for each in await store.runs()]:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert held_by_us() <= before
        answered, asked = {}, agents.asked.copy()
        for run_id in run_ids:
            entries = (await store.load(run_id)).entries
            answered[run_id] = sum(isinstance(each.input, Answered) for each in entries)
        async with worker(store, agents):
            await ended(store, run_ids)
        for run_id in run_ids:
            record = await store.load(run_id)
            assert record.ending is not None
            assert (record.summary.verdict, record.ending.result) == ("completed", ["<one>", "<two>"])
            again = sum((agents.asked - asked)[run_id, prompt] for prompt in ("one", "two"))
            assert again <= max(0, 2 - answered[run_id])
        return scope.cancelled_caught
    finally:
        await store.aclose()


@pytest.mark.parametrize("number", [2, 5, 11, 23, 47, 71, 95, 140, 190, 260, 330, 420])
def test_what_a_cancelled_worker_has_taken_goes_on_elsewhere(tmp_path: Path, number: int) -> None:
    trio.run(cancelled_at, number, tmp_path)


@pytest.mark.thorough
def test_a_worker_may_be_cancelled_at_each_of_its_steps(tmp_path: Path) -> None:
    number, was_cancelled = 0, True
    while was_cancelled:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        was_cancelled = trio.run(cancelled_at, number, folder)
    assert number > 100


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, None])
def test_no_way_to_leave_a_host_cancels_the_runs_of_the_queue(
    tmp_path: Path, fault: type[BaseException] | None
) -> None:
    async def leave(store: SqliteStore, agent: Blocked) -> None:
        with trio.CancelScope() as scope:
            async with worker(store, agent) as host:
                await host.start(ASKS)
                await agent.was_asked.wait()
                if fault is not None:
                    raise fault
                scope.cancel()
                await trio.sleep_forever()

    async def main() -> None:
        store = SqliteStore.open(tmp_path / "runs.db", durability="relaxed")
        try:
            with trio.fail_after(DEADLINE_S):
                if fault is None:
                    await leave(store, Blocked())
                else:
                    with pytest.raises((fault, BaseExceptionGroup)):  # an interrupt is in one
                        await leave(store, Blocked())
            (left,) = await store.runs()
            assert (left.state, left.verdict) == ("queued", None)
            async with worker(store, Agents()):
                assert (await until(store, left.run_id, "ended")).verdict == "completed"
        finally:
            await store.aclose()

    trio.run(main)


def test_a_run_that_was_started_is_gone_on_with_after_its_host_was_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        store, agent = SqliteStore.open(tmp_path / "runs.db", durability="relaxed"), Blocked()
        try:
            with trio.CancelScope() as scope:
                async with Host(store=store, options=RunOptions(agent=agent)) as host:
                    await host.start(ASKS)
                    await agent.was_asked.wait()
                    scope.cancel()
                    await trio.sleep_forever()
            (left,) = await store.runs()
            assert left.verdict == "host_shutdown"
        finally:
            await store.aclose()

    trio.run(main)
