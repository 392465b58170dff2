"""Slots that the runs of one tenant share."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, Handlers, Host, RunOptions, TenantLimits, WorkflowFailed
from flowcage.host.events.records import Event
from flowcage.host.run.run import Run
from flowcage.host.run.slots import Share, Slots, StartQueue

from ..host.children import Launcher
from ..host.runs import Crowd, Listener, agents


def test_runs_of_one_tenant_share_its_slots() -> None:
    crowd, launcher, tenant = Crowd(), Launcher(), Slots(3)

    async def one(name: str) -> None:
        options = RunOptions(agent=crowd.agent, max_agents=2, launcher=launcher)
        outcome = await Run(options, "w.js", Share(slots={"agent": tenant})).execute(agents(20, name), {})
        assert len(outcome.result) == 20

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(one, name)

    trio.run(main)
    launcher.assert_nothing_left()
    assert crowd.most <= 3
    for name in "abc":  # each run in the order of its calls
        assert [said for said in crowd.order if said[0] == name] == [f"{name}{n}" for n in range(20)]


def test_many_calls_of_one_run_hold_up_a_run_of_the_same_tenant_by_one() -> None:
    launcher, tenant = Launcher(), Slots(1)
    order: list[str] = []

    async def main() -> None:
        first_begun, second_asked, go = trio.Event(), trio.Event(), trio.Event()

        async def agent(call: AgentCall) -> AgentAnswer:
            order.append(call.prompt)
            first_begun.set()
            await go.wait()
            return AgentAnswer(1)

        async def one(source: str, listener: Callable[[Any], None] | None = None) -> None:
            options = RunOptions(agent=agent, launcher=launcher, listener=listener)
            await Run(options, "w.js", Share(slots={"agent": tenant})).execute(source, {})

        def listen(event: Any) -> None:
            if event.to_json()["type"] == "sleep":  # asked after the agent, in the same message
                second_asked.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, agents(100, "a"))
            await first_begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(one, "const a = agent('b'); SW.extra.sleep(0); export default await a", listen)
            await second_asked.wait()
            go.set()

    trio.run(main)
    launcher.assert_nothing_left()
    assert order.index("b") <= 2


def test_handlers_see_the_context_variables_of_their_own_run() -> None:
    launcher, tenant = Launcher(), Slots(1)
    name: ContextVar[str] = ContextVar("name")
    seen: list[tuple[str, str]] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        seen.append((call.prompt[0], name.get()))
        name.set("somebody else's")
        await trio.lowlevel.checkpoint()
        return AgentAnswer(1)

    async def one(own: str) -> None:
        name.set(own)
        options = RunOptions(agent=agent, launcher=launcher)
        await Run(options, "w.js", Share(slots={"agent": tenant})).execute(agents(10, own), {})

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "a")
            nursery.start_soon(one, "b")

    trio.run(main)
    launcher.assert_nothing_left()
    assert sorted(seen) == [("a", "a")] * 10 + [("b", "b")] * 10


def test_a_run_that_ended_is_not_kept_for_the_slots_it_waited_for() -> None:
    async def main() -> None:
        begun = trio.Event()

        async def hang(_call: AgentCall) -> AgentAnswer:
            begun.set()
            await trio.sleep_forever()
            raise AssertionError

        def listen(_event: Event) -> None:
            pass

        async with Host(default=TenantLimits(max_agents=1)) as host, trio.open_nursery() as nursery:
            nursery.start_soon(lambda: host.run(agents(1, "a"), handlers=Handlers(agent=hang)))
            await begun.wait()
            listener = partial(listen)
            source = "for (let n = 0; n < 20; n++) agent('b'); await SW.extra.sleep(1); throw 1"
            with pytest.raises(WorkflowFailed):
                await host.run(source, options=RunOptions(listener=listener))
            of_the_run = weakref.ref(listener)
            del listener
            gc.collect()
            assert of_the_run() is None
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_run_that_is_cancelled_gives_the_tenants_slots_back() -> None:
    launcher, tenant = Launcher(), Slots(2)

    async def main() -> None:
        begun = trio.Event()

        async def hang(_call: AgentCall) -> AgentAnswer:
            begun.set()
            await trio.sleep_forever()
            raise AssertionError

        async def hanging() -> None:
            options = RunOptions(agent=hang, launcher=launcher)
            await Run(options, "w.js", Share(slots={"agent": tenant})).execute(agents(20, "a"), {})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hanging)
            await begun.wait()
            nursery.cancel_scope.cancel()
        options = RunOptions(launcher=launcher)
        with trio.fail_after(300):
            run = Run(options, "w.js", Share(slots={"agent": tenant}))
            assert (await run.execute(agents(3, "b"), {})).result == ["echo: b0", "echo: b1", "echo: b2"]

    trio.run(main)
    launcher.assert_nothing_left()


def test_calls_that_had_no_slot_until_the_end_have_not_begun() -> None:
    launcher, heard = Launcher(), Listener()

    async def main() -> None:
        begun = trio.Event()

        async def hang(call: AgentCall) -> AgentAnswer:
            if call.id == "2":
                begun.set()
            await trio.sleep_forever()
            raise AssertionError

        options = RunOptions(agent=hang, launcher=launcher, listener=heard)
        run = Run(options, "w.js", Share(slots={"agent": Slots(2)}))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.execute, agents(5, "a"), {})
            await begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert run.report is not None
        assert (run.report.usage.agents, run.report.census.started, run.report.census.cancelled) == (2, 2, 5)

    trio.run(main)
    launcher.assert_nothing_left()
    assert [event["requestId"] for event in heard.of("agent_started")] == ["1", "2"]
    assert [event["attempt"] for event in heard.of("agent_cancelled")] == [1, 1, 0, 0, 0]


def test_a_closed_queue_leaves_its_place_among_the_shared_slots() -> None:
    slots = Slots(1)
    slots.queue(lambda: True)  # taken, for long
    queue = StartQueue(slots)
    queue.join(lambda: True)
    of_the_queue = weakref.ref(queue)
    queue.close()
    del queue
    gc.collect()
    assert of_the_queue() is None
