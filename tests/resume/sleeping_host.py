"""A host that takes up what nobody has, and carries out one run that sleeps three times.

    python -m tests.resume.sleeping_host FOLDER KILL_AT

It kills itself when its store's thread reaches the KILL_AT-th point of its commits; 0 is never. The clock of
the store is a file. It is moved by a day whenever the run is asleep.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import trio

from flowcage import AgentAnswer, AgentCall, Host, RunOptions
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import Json, WorkflowRequest

from .sleepers import AT_ONCE, DAY, poke

SOURCE = """
const first = await agent('first');
const [kid, side] = await parallel([
  () => workflow('kid', first),
  async () => { await SW.extra.sleep(172800000); return agent('side'); }]);
await SW.extra.sleep(86400000);
export default [first, kid, side, await agent('last'), budget.spent()];"""
KID = """
const a = await agent('kid of ' + args);
await SW.extra.sleep(86400000);
export default a + await agent('kid 2');"""
RESULT = ["<first>", "<kid of <first>><kid 2>", "<side>", "<last>", 50]


class FileClock:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> int:
        return int(self._path.read_text())

    def move(self) -> None:
        """As a whole: this process may be killed here, too."""
        new = self._path.with_suffix(".new")
        new.write_text(str(self() + DAY))
        new.rename(self._path)


async def main(folder: Path, kill_at: int) -> None:
    points, clock = 0, FileClock(folder / "clock")

    def fault(_point: str) -> None:
        nonlocal points
        points += 1
        if points == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    async def agent(call: AgentCall) -> AgentAnswer:
        with (folder / "asked").open("a") as file:
            print(call.prompt, call.interrupted, file=file)
        return AgentAnswer(f"<{call.prompt}>", tokens=10)

    async def workflow(caller: Caller, request: WorkflowRequest) -> Json:
        return await caller.run_child(KID, "kid.js", request.args)

    async def move() -> None:
        while True:
            runs = await store.runs()
            if runs and runs[0].state == "asleep" and (runs[0].wake_at or 0) > clock():
                clock.move()
                await poke(store)
            await trio.sleep(0.01)

    store = SqliteStore.open(folder / "runs.db", StoreOptions(clock=clock, fault=fault), durability="relaxed")
    options = RunOptions(agent=agent, workflow=workflow)
    try:
        async with (
            Host(store=store, options=options, hibernation=AT_ONCE, takes_up=True, launcher=Spawn) as host,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(move)
            handle = await host.start(SOURCE, key="k")
            outcome = await handle.outcome()
            nursery.cancel_scope.cancel()
    finally:
        await store.aclose()
    print(json.dumps([outcome.result, outcome.report.sleeps, outcome.usage.tokens, points]))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
