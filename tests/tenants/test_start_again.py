"""Runs of a store that a host goes on with, or forks, in tasks of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, HostClosing, Overloaded, WorkflowFailed
from flowcage.host.durable.errors import UnknownRun
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.tenants.tenant import TenantLimits

from ..resume.sleepers import Agents, Clock, host, opened

TWO = "export default [await agent('a'), await agent('b')]"


class FailsFirst:
    """Answers `a`; `b` waits for ever the first time, so that its host is left meanwhile."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waits = trio.Event()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        if self.asked == ["a", "b"]:
            self.waits.set()
            await trio.sleep_forever()
        return AgentAnswer(f"<{call.prompt}>", tokens=10)


def test_a_run_that_was_left_goes_on_in_a_task_of_the_hosts(tmp_path: Path) -> None:
    async def main() -> None:
        agent = FailsFirst()
        async with opened(tmp_path, Clock()) as store:
            async with host(store, agent) as made:
                first = await made.start(TWO, tenant="t")
                await agent.waits.wait()
                with pytest.raises(NotResumable, match="goes on already"):
                    await made.start_resume(first.run_id, tenant="t")
                with pytest.raises(UnknownRun):
                    await made.start_resume(first.run_id, tenant="other")
            async with host(store, agent) as made:
                again = await made.start_resume(first.run_id, tenant="t")
                assert (await store.get(first.run_id)).state in ("running", "ended")
                assert (await again.outcome()).result == ["<a>", "<b>"]
                assert (again.run_id, again.tenant) == (first.run_id, "t")
                with pytest.raises(NotResumable, match="has completed"):
                    await made.start_resume(first.run_id, tenant="t")
            assert agent.asked == ["a", "b", "b"]
            with pytest.raises(HostClosing):
                await made.start_resume(first.run_id, tenant="t")

    trio.run(main)


def test_a_run_that_is_gone_on_with_has_a_place_in_the_queue_or_is_left_as_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        agent = FailsFirst()
        async with opened(tmp_path, Clock()) as store:
            async with host(store, agent) as made:
                first = await made.start(TWO)
                await agent.waits.wait()
            left = await store.get(first.run_id)
            few = host(store, Agents(), default=TenantLimits(max_queued=0), max_runs=1, max_queued=0)
            async with few as made:
                await made.start("await agent('x'); await new Promise(() => SW.extra.sleep(9e9))")
                with pytest.raises(Overloaded):
                    await made.start_resume(first.run_id)
                assert (await store.get(first.run_id))._replace(epoch=0) == left._replace(epoch=0)

    trio.run(main)


def test_a_run_that_was_cancelled_goes_on_where_that_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        agent = FailsFirst()
        async with opened(tmp_path, Clock()) as store, host(store, agent) as made:
            first = await made.start(TWO)
            await agent.waits.wait()
            await made.cancel(first.run_id, "enough")
            with pytest.raises(CancelRequested, match="enough"):
                await first.outcome()
            with pytest.raises(NotResumable, match="was cancelled: enough"):
                await made.start_resume(first.run_id)
            again = await made.start_resume(first.run_id, even_if_cancelled=True)
            assert (await again.outcome()).result == ["<a>", "<b>"]

    trio.run(main)


def test_a_fork_is_started_and_asks_only_what_has_no_answer(tmp_path: Path) -> None:
    async def main() -> None:
        agents = Agents()
        async with opened(tmp_path, Clock()) as store, host(store, agents) as made:
            first = await made.start(TWO + "; throw Error('no')", tenant="t")
            with pytest.raises(WorkflowFailed):
                await first.outcome()
            with pytest.raises(UnknownRun):
                await made.start_fork(first.run_id, TWO)
            edited = TWO.replace("'b'", "'c'")
            fork = await made.start_fork(first.run_id, edited, tenant="t", new_run_id="forked")
            assert (await fork.outcome()).result == ["<a>", "<c>"]
            assert agents.asked == ["a", "b", "c"]
            kept = await store.get("forked")
            assert (kept.forked_from, kept.tenant, kept.state) == (first.run_id, "t", "ended")

    trio.run(main)
