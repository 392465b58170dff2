"""One workflow in several lives: each ends at some point, and the next goes on from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from flowcage.host import AgentAnswer, AgentCall, AgentUsage, RequestRejected, RunOptions
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.kept import take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.options import Caller
from flowcage.protocol.messages import Json, WorkflowRequest

SOURCE = """phase('one', {detail: 'd'});
const order = [];
const note = (name) => async () => { const got = await agent(name); order.push(name); return got; };
const all = await parallel(['a', 'b', 'c', 'busy', 'e'].map(note));
await SW.extra.sleep(1);
const kids = await parallel(['x', 'y'].map((name) => () => workflow('kid', {name})));
log('spent', budget.spent());
for (let i = 0; i < 3; i++) order.push(await agent('s' + i + ' after ' + order.length));
const spent = budget.spent();
export default {all, kids, order, spent, last: await agent('l', {schema: {type: 'string'}})};"""

KID = """const since = budget.spent();
const got = await parallel([1, 2, 3].map((n) => () => agent(args.name + n)));
const all = [...got, await agent(args.name + ' of ' + got.join())];
await agent(args.name + ' since ' + since);
export default [...all, budget.spent() > 0];"""


async def kid(caller: Caller, request: WorkflowRequest) -> Json:
    assert isinstance(request.args, dict)
    return await caller.run_child(KID, "kid.js", request.args)


class Agents:
    """Agents of all lives of one run: what they were asked, and what they had answered."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.tokens: dict[str, int] = {}
        self.interrupted: list[str] = []
        self.on_call: Callable[[AgentCall], None] = lambda _call: None

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        key = f"{call.run_id}/{call.id}"
        assert not self.answered[call.prompt], f"{call.prompt!r} was answered, and is asked again"
        if call.interrupted:
            self.interrupted.append(key)
        assert call.interrupted or not self.asked[key]
        self.asked[key] += 1
        self.on_call(call)
        for _ in range(len(call.prompt) % 3):
            await trio.lowlevel.checkpoint()
        self.answered[call.prompt] += 1
        self.tokens[call.idempotency_key] = 0 if call.prompt == "busy" else len(call.prompt)
        if call.prompt == "busy":
            raise RequestRejected("busy")
        usage = AgentUsage(1, 2, 3, 4)
        return AgentAnswer(f"<{call.prompt}>", tokens=len(call.prompt), usage=usage, model="m")


def options(agent: Any, **more: Any) -> RunOptions:
    given = {"budget_tokens": 10_000, "max_agents": 3, **more}
    return RunOptions(agent=agent, workflow=kid, timeout_seconds=120, **given)


async def first_life(path: Path, given: RunOptions, source: str = SOURCE) -> Outcome:
    store = SqliteStore.open(path, durability="relaxed")
    try:
        kept = await begin(store, "run", source, "w.js", {}, given)
        return await kept.execute(kept.run(given))
    finally:
        await store.aclose()


async def next_life(path: Path, given: RunOptions) -> Outcome:
    store = SqliteStore.open(path, durability="relaxed")
    try:
        kept = await take_up(store, "run")
        return await kept.execute(kept.run(given))
    finally:
        await store.aclose()
