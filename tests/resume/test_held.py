"""What is commanded for a workflow whose new child is not where the old one was waits until it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RunOptions
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import Json, WorkflowRequest

from ..host.children import Launcher
from .one_life import one_life

SOURCE = "export default parallel(['x', 'y'].map((name) => () => workflow('kid', {name})))"
KID = "export default agent(args.name).catch((error) => error.message)"


@pytest.mark.parametrize(
    ("budget", "of_the_other"),
    [
        (None, "<{}>"),  # it is begun when the place at work comes free
        (10, "agent() is refused: 10 of the budget's 10 tokens are spent"),
    ],
)
def test_a_call_of_a_workflow_that_is_behind_is_begun_when_it_is_not(
    tmp_path: Path, budget: int | None, of_the_other: str
) -> None:
    launcher, answered = Launcher(), trio.Event()
    prompts: list[str] = []
    scopes: list[trio.CancelScope] = []
    heard: list[str] = []
    both_called = trio.Event()

    async def kid(caller: Caller, request: WorkflowRequest) -> Json:
        assert isinstance(request.args, dict)
        if len(scopes) == 2 and request.args["name"] != prompts[0]:
            await answered.wait()  # so it is behind while the call of the other one ends
        return await caller.run_child(KID, "kid.js", request.args)

    async def agent(call: AgentCall) -> AgentAnswer:
        prompts.append(call.prompt)
        if len(scopes) == 1:
            await both_called.wait()
            scopes[0].cancel()
            await trio.sleep_forever()
        return AgentAnswer(f"<{call.prompt}>", tokens=10)

    def hear(event: Any) -> None:
        heard.append(type(event).__name__)
        if heard.count("AgentQueued") == 2:
            both_called.set()
        if heard[-1] == "AgentCompleted":
            answered.set()

    async def life(number: int) -> Json:
        given = RunOptions(
            agent=agent,
            workflow=kid,
            launcher=launcher,
            timeout_seconds=300,
            max_agents=1,
            budget_tokens=budget,
            listener=hear,
        )
        return await one_life(tmp_path, number, SOURCE, given, scopes)

    assert trio.run(life, 0) is None
    first, other = ("x", "y") if prompts == ["x"] else ("y", "x")
    results = {first: f"<{first}>", other: of_the_other.format(other)}
    assert trio.run(life, 1) == [results["x"], results["y"]]
    assert prompts == [first, first, *([other] if budget is None else [])]
    launcher.assert_nothing_left()
