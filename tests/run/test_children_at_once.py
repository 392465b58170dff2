"""Child workflows and programs cost a process each: how many there are at once, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import trio
import trio.testing

from flowcage.host import AgentAnswer, AgentCall, RequestRejected, RunOptions, run_workflow
from flowcage.host.events.records import ChildEnded, Event
from flowcage.host.run.options import Caller
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher
from ..host.runs import Crowd, Listener, agents, run


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

    async def workflow(_run: Caller, request: WorkflowRequest) -> Json:
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
    async def reject(_run: Caller, _request: WorkflowRequest) -> Json:
        raise RequestRejected("not here")

    source = "export default parallel(Array(20).fill(() => workflow('x')))"
    assert run(source, workflow=reject, max_children=1).result == [None] * 20
    assert run(source, max_children=1).result == [None] * 20
