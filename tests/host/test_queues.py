"""Who gets a slot when: agents of one run, of a run and its children, of several runs of one tenant."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, RequestRejected, RunOptions, run_workflow
from flowcage.host.account import Account
from flowcage.host.alarms import Alarms
from flowcage.host.events import ChildEnded, Event
from flowcage.host.queues import CallQueue, Slots
from flowcage.host.run import Run
from flowcage.host.sourcefile import ChildWorkflows
from flowcage.protocol.messages import Json, WorkflowRequest

from .children import Launcher
from .runs import Listener, run


class Crowd:
    """Agents that wait to be let go; counts those at work, and the most there ever were."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.at_work = 0
        self.most = 0

    async def agent(self, call: AgentCall) -> AgentAnswer:
        self.order.append(call.prompt)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        self.at_work -= 1
        return AgentAnswer(call.prompt)


def agents(count: int, name: str) -> str:
    return f"export default parallel(Array.from({{length: {count}}}, (_, n) => () => agent('{name}' + n)))"


def test_queued_agents_have_no_task() -> None:
    launcher = Launcher()

    async def main() -> None:
        all_begun = trio.Event()
        begun: list[str] = []

        async def hang(call: AgentCall) -> AgentAnswer:
            begun.append(call.id)
            if len(begun) == 3:
                all_begun.set()
            await trio.sleep_forever()
            raise AssertionError

        options = RunOptions(agent=hang, max_agents=3, launcher=launcher)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run_workflow(agents(500, "a"), options=options))
            await all_begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living < 30
            nursery.cancel_scope.cancel()
        assert begun == ["1", "2", "3"]

    trio.run(main)
    launcher.assert_nothing_left()


def test_an_agent_that_was_queued_is_not_begun_by_the_end_of_the_run() -> None:
    begun: list[str] = []

    async def hang(call: AgentCall) -> AgentAnswer:
        begun.append(call.id)
        await trio.sleep_forever()
        raise AssertionError

    source = "for (let i = 0; i < 50; i++) agent('x'); await SW.extra.sleep(50); export default 1"
    assert run(source, agent=hang, max_agents=2).result == 1
    assert begun == ["1", "2"]


def test_sleeps_hold_no_slot_and_have_no_task() -> None:
    launcher = Launcher()

    async def main() -> None:
        begun = trio.Event()

        async def hang(_call: AgentCall) -> AgentAnswer:
            begun.set()
            await trio.sleep_forever()
            raise AssertionError

        source = """const asleep = Array.from({length: 500}, () => SW.extra.sleep(1e9));
          export default parallel([() => agent('x'), ...asleep.map((p) => () => p)])"""
        options = RunOptions(agent=hang, max_agents=1, launcher=launcher)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run_workflow(source, options=options))
            await begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living < 30
            nursery.cancel_scope.cancel()

    trio.run(main)
    launcher.assert_nothing_left()


def test_of_alarms_at_the_same_time_the_first_set_rings_first() -> None:
    rung: list[str] = []

    async def main() -> None:
        alarms = Alarms()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.watch)
            for name, seconds in (("b", 5), ("c", 5), ("a", 1), ("d", 5)):
                alarms.after(seconds, partial(rung.append, name))
            alarms.after(6, nursery.cancel_scope.cancel)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert rung == ["a", "b", "c", "d"]


def test_sleeps_end_in_the_order_of_their_time_and_then_of_their_calls() -> None:
    source = """const ended = [];
      await parallel([60, 0, 30, 0, 1].map((ms, n) => () => SW.extra.sleep(ms).then(() => ended.push(n))));
      export default ended"""
    assert run(source).result == [1, 3, 4, 2, 0]


def test_a_sleep_may_be_shorter_than_the_one_that_the_host_already_waits_for() -> None:
    source = """const long = SW.extra.sleep(1e9);
      await agent('x'); await SW.extra.sleep(1); await agent('y'); await SW.extra.sleep(2);
      export default 1"""
    assert run(source).result == 1


def test_ten_thousand_sleeps_at_once_end_together() -> None:
    source = """const all = Array.from({length: 10000}, () => SW.extra.sleep(1));
      export default (await Promise.all(all)).length"""
    assert run(source).result == 10_000


def test_the_agents_of_a_child_workflow_queue_with_those_of_its_parent(tmp_path: Path) -> None:
    crowd, launcher = Crowd(), Launcher()
    (tmp_path / "kid.js").write_text(agents(10, "k"))
    source = """export default Promise.all([
      workflow({scriptPath: 'kid.js'}), workflow({scriptPath: 'kid.js'}),
      ...Array.from({length: 10}, () => agent('p')),
    ])"""
    options = RunOptions(
        agent=crowd.agent, max_agents=2, workflow=ChildWorkflows(tmp_path), launcher=launcher
    )
    trio.run(lambda: run_workflow(source, source_name=str(tmp_path / "p.js"), options=options))
    launcher.assert_nothing_left()
    assert len(crowd.order) == 30
    assert crowd.most == 2


def test_a_child_workflow_that_ends_with_agents_queued_leaves_their_places_to_others(tmp_path: Path) -> None:
    launcher, order = Launcher(), []

    async def agent(call: AgentCall) -> AgentAnswer:
        order.append(call.prompt)
        if call.prompt == "k":
            await trio.sleep_forever()
        return AgentAnswer(call.prompt)

    (tmp_path / "kid.js").write_text(
        "for (let i = 0; i < 50; i++) agent('k'); await SW.extra.sleep(1); export default 'done'"
    )
    source = """const kid = await workflow({scriptPath: 'kid.js'});
      export default [kid, await agent('p'), await agent('q')]"""
    options = RunOptions(agent=agent, max_agents=1, workflow=ChildWorkflows(tmp_path), launcher=launcher)
    outcome = trio.run(lambda: run_workflow(source, source_name=str(tmp_path / "p.js"), options=options))
    launcher.assert_nothing_left()
    assert outcome.result == ["done", "p", "q"]
    assert order == ["k", "p", "q"]


def test_a_slot_that_comes_free_after_a_child_workflow_ended_is_not_for_its_agents(tmp_path: Path) -> None:
    launcher, order = Launcher(), []
    kid_ended = trio.Event()

    async def agent(call: AgentCall) -> AgentAnswer:
        order.append(call.prompt)
        if call.prompt == "p":
            await kid_ended.wait()
        return AgentAnswer(call.prompt)

    def listen(event: Event) -> None:
        if isinstance(event, ChildEnded):
            kid_ended.set()

    (tmp_path / "kid.js").write_text(
        "for (let i = 0; i < 50; i++) agent('k'); await SW.extra.sleep(1); export default 'done'"
    )
    source = """const p = agent('p');
      const kid = await workflow({scriptPath: 'kid.js'});
      export default [kid, await p, await agent('q')]"""
    options = RunOptions(
        agent=agent,
        max_agents=1,
        workflow=ChildWorkflows(tmp_path),
        launcher=launcher,
        listener=listen,
        timeout_seconds=120,
    )
    outcome = trio.run(lambda: run_workflow(source, source_name=str(tmp_path / "p.js"), options=options))
    launcher.assert_nothing_left()
    assert outcome.result == ["done", "p", "q"]
    assert order == ["p", "q"]


def test_child_workflows_beyond_max_children_wait_in_order() -> None:
    order: list[Json] = []
    at_work = most = 0

    async def workflow(_run: Run, request: WorkflowRequest) -> Json:
        nonlocal at_work, most
        order.append(request.ref)
        at_work += 1
        most = max(most, at_work)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        at_work -= 1
        return None

    source = "export default parallel(Array.from({length: 12}, (_, n) => () => workflow(`${n}`)))"
    run(source, workflow=workflow, max_children=2)
    assert order == [str(number) for number in range(12)]
    assert most == 2
    most = 0
    run(source, workflow=workflow)
    assert most == 4


def test_a_child_workflow_that_waits_for_its_own_is_not_in_their_way() -> None:
    async def workflow(run: Run, _request: WorkflowRequest) -> Json:
        deeper = "export default workflow('x')" if run.depth < 2 else "export default 'deep'"
        return await run.run_child(deeper, "child.js", {})

    assert run("export default workflow('x')", workflow=workflow, max_children=1).result == "deep"


def test_programs_beyond_max_children_wait_too() -> None:
    at_work = most = 0

    async def execute(_request: Any) -> Json:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        at_work -= 1
        return None

    source = "export default parallel(Array(9).fill(() => SW.sandbox.exec('p', {command: 'c'})))"
    run(source, sandbox_exec=execute, max_children=3)
    assert most == 3


def test_runs_of_one_tenant_share_its_slots() -> None:
    crowd, launcher, tenant = Crowd(), Launcher(), Slots(3)

    async def one(name: str) -> None:
        options = RunOptions(agent=crowd.agent, max_agents=2, launcher=launcher)
        outcome = await Run(options, "w.js", account=Account(options, tenant)).execute(agents(20, name), {})
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

        def account_of(options: RunOptions) -> Account:
            return Account(options, tenant)

        async def one(source: str, listener: Callable[[Any], None] | None = None) -> None:
            options = RunOptions(agent=agent, launcher=launcher, listener=listener)
            await Run(options, "w.js", account=account_of(options)).execute(source, {})

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
        await Run(options, "w.js", account=Account(options, tenant)).execute(agents(10, own), {})

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "a")
            nursery.start_soon(one, "b")

    trio.run(main)
    launcher.assert_nothing_left()
    assert sorted(seen) == [("a", "a")] * 10 + [("b", "b")] * 10


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
            await Run(options, "w.js", account=Account(options, tenant)).execute(agents(20, "a"), {})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hanging)
            await begun.wait()
            nursery.cancel_scope.cancel()
        options = RunOptions(launcher=launcher)
        with trio.fail_after(60):
            run = Run(options, "w.js", account=Account(options, tenant))
            assert (await run.execute(agents(3, "b"), {})).result == ["echo: b0", "echo: b1", "echo: b2"]

    trio.run(main)
    launcher.assert_nothing_left()


@pytest.mark.parametrize("outer", [None, Slots(2)])
def test_whoever_does_not_want_a_slot_any_more_passes_it_on(outer: Slots | None) -> None:
    queue, begun = CallQueue(1, outer), []

    def begin(name: str, wanted: bool) -> Callable[[], bool]:
        def begin() -> bool:
            begun.append(name)
            return wanted

        return begin

    queue.join(begin("a", True))
    queue.started()
    for name in "bcd":
        queue.join(begin(name, name == "d"))
    assert begun == ["a"]
    queue.release()
    assert begun == ["a", "b", "c", "d"]
    queue.started()
    queue.release()
    queue.join(begin("e", False))
    queue.join(begin("f", True))
    assert begun[-2:] == ["e", "f"]


def test_children_are_told_in_the_parents_stream(tmp_path: Path) -> None:
    listener, launcher = Listener(), Launcher()
    (tmp_path / "good.js").write_text("export default 1")
    (tmp_path / "bad.js").write_text("export default () => { throw new Error('no') }")
    source = """await workflow({scriptPath: 'good.js'});
      export default workflow({scriptPath: 'bad.js'}).catch(() => 0)"""
    options = RunOptions(listener=listener, launcher=launcher, workflow=ChildWorkflows(tmp_path))
    outcome = trio.run(lambda: run_workflow(source, source_name=str(tmp_path / "p.js"), options=options))
    launcher.assert_nothing_left()
    own = [event for event in listener.heard if event["runId"] == outcome.run_id]
    assert [event["type"] for event in own] == [
        "started", "child_started", "child_ended", "child_started", "child_ended", "ended",
    ]  # fmt: skip
    good, bad = own[2], own[4]
    assert (good["verdict"], good["error"]) == ("completed", None)
    assert bad["verdict"] == "failed"
    assert "no" in bad["error"]
    for told in (good, bad):
        theirs = [event["type"] for event in listener.heard if event["runId"] == told["childRunId"]]
        assert theirs == ["started", "ended"]


def test_a_refused_request_takes_no_slot() -> None:
    async def reject(_run: Run, _request: WorkflowRequest) -> Json:
        raise RequestRejected("not here")

    source = "export default parallel(Array(20).fill(() => workflow('x')))"
    assert run(source, workflow=reject, max_children=1).result == [None] * 20
    assert run(source, max_children=1).result == [None] * 20
