"""A host that stops while an agent is at work: ``python -m tests.resume.stopped_host STORE``."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from flowcage.host import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.errors import Fenced
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.new.begin import begin

SOURCE = """const all = [];
for (const name of ['a', 'b', 'c', 'd']) all.push(await agent(name));
export default all"""


async def agent(call: AgentCall) -> AgentAnswer:
    print(call.prompt, flush=True)
    if call.prompt == "b":
        await trio.to_thread.run_sync(sys.stdin.readline)
    return AgentAnswer(f"old {call.prompt}")


async def main(path: Path) -> None:
    store = SqliteStore.open(path)
    options = RunOptions(agent=agent, timeout_seconds=120)
    kept = await begin(store, "run", SOURCE, "w.js", {}, options)
    try:
        await kept.execute(kept.run(options))
    except Fenced:
        print("fenced", flush=True)
    finally:
        await store.aclose()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
