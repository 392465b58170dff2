"""Handles of runs that a host has started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from flowcage import AgentAnswer, AgentCall, Host, HostClosing, Overloaded, RunCancelled, WorkflowFailed
from flowcage.host.durable.errors import AlreadyThere
from flowcage.host.tenants.tenant import TenantLimits

from ..resume.sleepers import DAY, RESULT, SLEEPY, Agents, Clock, host, opened, tick, until


def test_a_handle_gives_the_outcome_to_everybody_who_waits(tmp_path: Path) -> None:
    async def main() -> None:
        got: list[Any] = []
        async with opened(tmp_path, Clock()) as store, host(store, Agents()) as made:
            handle = await made.start("export default await agent('a')", tenant="t", run_id="r")
            summary = await store.get("r")  # it is kept by now
            assert (summary.state in ("running", "ended"), summary.tenant) == (True, "t")

            async def wait() -> None:
                got.append((await handle.outcome()).result)

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(wait)
            assert handle.state == "ended"
            assert (await handle.outcome()).report.run_id == handle.run_id == "r"
        assert got == ["<a>"] * 3

    trio.run(main)


def test_a_host_without_a_store_starts_runs_too() -> None:
    async def main() -> None:
        async with Host() as made:
            handle = await made.start("export default args.n + 1", args={"n": 1})
            assert (await handle.outcome()).result == 2
            failing = await made.start("throw Error('no')")
            for _ in range(2):
                with pytest.raises(WorkflowFailed, match="no"):
                    await failing.outcome()
            with pytest.raises(ValueError, match="key needs a store"):
                await made.start("1", key="k")

    trio.run(main)


def test_a_start_key_is_one_run_also_when_that_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        agents, clock = Agents(), Clock()
        async with opened(tmp_path, clock) as store:
            async with host(store, agents) as made:
                handle = await made.start(SLEEPY, key="nightly", args={"n": 1})
                assert await made.start(SLEEPY, key="nightly", args={"n": 1}) is handle
                other = await made.start(SLEEPY, key="nightly", tenant="other")
                assert other is not handle
                with pytest.raises(AlreadyThere, match=r"nightly.*another source or other args"):
                    await made.start(SLEEPY, key="nightly", args={"n": 2})
                await until(store, handle.run_id, "asleep")
                await until(store, other.run_id, "asleep")
                again = await made.start(SLEEPY, key="nightly", args={"n": 1})
                assert again is handle
                await tick(clock, store, DAY)
                assert (await handle.outcome()).result == RESULT
            async with host(store, agents) as made:
                later = await made.start(SLEEPY, key="nightly", args={"n": 1})
                outcome = await later.outcome()
                assert (later.run_id, outcome.result) == (handle.run_id, RESULT)
                assert outcome.report.usage.tokens == 20
                assert (outcome.census.completed, outcome.report.sleeps) == (2, 1)
        assert agents.asked.count("before") == 2  # one for each tenant

    trio.run(main)


def test_a_failure_is_found_by_its_start_key(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store:
            for _ in range(2):
                async with host(store, Agents()) as made:
                    handle = await made.start("await agent('a'); throw TypeError('no')", key="k")
                    with pytest.raises(WorkflowFailed, match="no") as caught:
                        await handle.outcome()
                    assert (caught.value.verdict, caught.value.kind) == ("failed", "exception")
                    assert caught.value.report.usage.tokens == 10

    trio.run(main)


@pytest.mark.parametrize("takes_up", [True, False])
def test_a_host_that_is_left_leaves_its_runs_to_be_gone_on_with(tmp_path: Path, takes_up: bool) -> None:
    async def main() -> None:
        asked = trio.Event()
        agents = Agents()

        async def waits(_call: AgentCall) -> AgentAnswer:
            asked.set()
            await trio.sleep_forever()
            raise AssertionError

        async with opened(tmp_path, Clock()) as store:
            async with host(store, waits, takes_up=takes_up) as made:
                handle = await made.start("export default await agent('a')", key="k")
                await asked.wait()
            with pytest.raises(HostClosing):
                await handle.outcome()
            summary = await store.get(handle.run_id)
            assert (summary.state, summary.verdict) == (
                ("queued", None) if takes_up else ("ended", "host_shutdown")
            )
            async with host(store, agents, takes_up=takes_up) as made:
                again = await made.start("export default await agent('a')", key="k")
                assert again.run_id == handle.run_id
                assert (await again.outcome()).result == "<a>"
        assert agents.asked == ["a"]

    trio.run(main)


@pytest.mark.parametrize("when", ["waiting", "running", "asleep"])
def test_a_run_can_be_cancelled_wherever_it_is(tmp_path: Path, when: str) -> None:
    async def main() -> None:
        blocked, clock = trio.Event(), Clock()

        async def agent(_call: AgentCall) -> AgentAnswer:
            blocked.set()
            await trio.sleep_forever()
            raise AssertionError

        sleeps = "await SW.extra.sleep(86400000)"
        async with opened(tmp_path, clock) as store, host(store, agent, max_runs=1) as made:
            if when == "waiting":
                await made.start("await agent('first')")
                await blocked.wait()
            handle = await made.start(sleeps if when == "asleep" else "await agent('a')")
            if when == "running":
                await blocked.wait()
            if when == "asleep":
                await until(store, handle.run_id, "asleep")
                await trio.testing.wait_all_tasks_blocked()
            assert handle.state == when
            await handle.cancel()
            with pytest.raises(RunCancelled):
                await handle.outcome()
            assert handle.state == "ended"
            await handle.cancel()  # which changes nothing
            summary = await store.get(handle.run_id)
            assert (summary.state, summary.verdict) == ("ended", "cancelled")

    trio.run(main)


def test_what_cannot_be_started_is_refused_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, Clock()) as store:
            made = host(store, Agents(), default=TenantLimits(max_queued=0), max_runs=1, max_queued=0)
            with pytest.raises(HostClosing):
                await made.start("1")
            async with made:
                handle = await made.start("await agent('a'); await SW.extra.sleep(100); return 1", run_id="r")
                with pytest.raises(ValueError, match="already in use"):
                    await made.start("1", run_id="r")
                with pytest.raises(ValueError, match="already in use"):
                    await made.run("1", run_id="r")
                with pytest.raises(Overloaded):
                    await made.start("1")
                with pytest.raises(ValueError, match="1 to 500 characters"):
                    await made.start("1", key="")
                await handle.outcome()
                with pytest.raises(AlreadyThere):
                    await made.start("1", run_id="r")
                assert [each.run_id for each in await store.runs()] == ["r"]

    trio.run(main)
