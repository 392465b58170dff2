"""Handlers and listeners that do what none should: the run ends as one of theirs that failed."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, HandlerFailed, RunOptions, run_workflow
from flowcage.host.events.records import Event
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import WorkflowRequest

from ..host.children import Launcher
from ..host.runs import run


def test_a_handler_that_cancels_the_nursery_of_its_run_is_named() -> None:
    async def drastic(_call: AgentCall) -> AgentAnswer:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.cancel_scope.cancel()
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(HandlerFailed, match="cancelled the nursery of its run"):
        run('export default agent("x")', agent=drastic)


def test_a_child_workflow_that_nobody_waits_for_ends_with_the_one_that_asked_for_it() -> None:
    launcher, errors = Launcher(), list[Exception]()

    async def main() -> None:
        async with trio.open_nursery() as elsewhere:

            async def hasty(caller: Caller, _request: WorkflowRequest) -> Any:
                begun = trio.Event()

                async def below() -> None:
                    begun.set()
                    try:
                        await caller.run_child("await agent('hangs')", "below.js", {})
                    except HandlerFailed as error:
                        errors.append(error)

                elsewhere.start_soon(below)
                await begun.wait()
                return 1

            async def hang(_call: AgentCall) -> AgentAnswer:
                await trio.sleep_forever()
                raise AssertionError

            options = RunOptions(workflow=hasty, agent=hang, launcher=launcher, timeout_seconds=120)
            assert (await run_workflow('export default workflow("x")', options=options)).result == 1

    trio.run(main)
    launcher.assert_nothing_left()
    assert [str(error) for error in errors] == [
        "the workflow that asked for it ended first; await run_child()"
    ]


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("who", ["agent", "listener"])
def test_an_error_without_a_text_is_an_error_all_the_same(who: str) -> None:
    async def agent(_call: AgentCall) -> AgentAnswer:
        raise Unspeakable

    def listen(_event: Event) -> None:
        raise Unspeakable

    with pytest.raises(HandlerFailed, match="Unspeakable, which has no text") as caught:
        run('export default agent("x")', **{"agent": agent} if who == "agent" else {"listener": listen})
    assert isinstance(caught.value.__cause__, Unspeakable)


@pytest.mark.parametrize("given", [(b"", "c.js", {}), ("", None, {}), ("", "c.js", {1, 2})])
def test_a_handler_that_gives_a_child_workflow_no_workflow_is_told_at_once(given: Any) -> None:
    async def wrong(caller: Caller, _request: WorkflowRequest) -> Any:
        return await caller.run_child(*given)

    with pytest.raises(HandlerFailed) as caught:
        run('export default workflow("x")', workflow=wrong)
    assert isinstance(caught.value.__cause__, TypeError)
