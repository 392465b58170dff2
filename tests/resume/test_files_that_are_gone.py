"""A child workflow is gone on with from its store, whatever became of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RunOptions
from flowcage.host.workflows.child_workflows import ChildWorkflows
from flowcage.protocol.messages import Json

from ..host.children import Launcher
from .one_life import one_life

SOURCE = "export default [await workflow('kid', {n: 1}), await workflow('other').catch((e) => e.message)]"


@pytest.mark.parametrize("stops", ["in the child", "after the child"])
def test_a_child_workflow_whose_file_is_gone_is_gone_on_with(tmp_path: Path, stops: str) -> None:
    folder, launcher, asked = tmp_path / "workflows", Launcher(), 0
    folder.mkdir()
    file = folder / "kid.js"
    file.write_text("export default [args.n, await agent('kid')]")
    scopes: list[trio.CancelScope] = []

    async def stop() -> None:
        scopes[-1].cancel()
        await trio.sleep_forever()

    async def agent(_call: AgentCall) -> AgentAnswer:
        nonlocal asked
        asked += 1
        if stops == "in the child" and asked == 1:
            await stop()
        return AgentAnswer("x")

    async def workflow(*given: Any) -> Json:
        found = await ChildWorkflows(folder)(*given)
        if stops == "after the child" and len(scopes) == 1:
            await stop()
        return found

    async def life(number: int) -> Json:
        given = RunOptions(agent=agent, workflow=workflow, launcher=launcher, timeout_seconds=120)
        return await one_life(tmp_path, number, SOURCE, given, scopes)

    assert trio.run(life, 0) is None
    file.unlink()
    result = trio.run(life, 1)
    assert isinstance(result, list)
    assert result[0] == [1, "x"]
    assert "there is no workflow 'other'" in str(result[1])
    assert asked == (2 if stops == "in the child" else 1)
    launcher.assert_nothing_left()
