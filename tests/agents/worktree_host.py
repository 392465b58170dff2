"""A host whose agent changes a file in its worktree, says so, and waits to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from flowcage.agents import AgentAnswer, AgentCall, Worktrees, worktree


async def main(repository: str, home: str, does: str) -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        assert call.folder is not None
        if does == "change":
            (Path(call.folder) / "b.txt").write_text("new\n")
        print(call.folder, flush=True)
        await trio.sleep_forever()
        raise AssertionError

    options = {"isolation": "worktree", "label": does}
    await worktree(agent, Worktrees(home=Path(home)))(
        AgentCall("1", "work", options, run_id=f"killed-{does}", folder=repository)
    )


trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
