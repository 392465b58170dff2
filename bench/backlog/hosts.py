"""flowcage with whole runs: a host that is a worker carries out what was submitted, each in its cage."""

from __future__ import annotations

from functools import partial

import trio
from backlog.contract import Settings, tell_ready

from flowcage import Host, submit_workflow
from flowcage.host import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.tenants.working.worker import Worker

TRIVIAL = "export default 1"
_CALLS = """let n = 0;
for (let i = 0; i < CALLS; i++) n += (await agent('question ' + i)).length;
export default n;"""


async def _agent(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(f"an answer to {call.prompt}", tokens=1)


def submit_many(store: PostgresStore, count: int, calls: int) -> None:
    """Hand runs in, each of which asks an agent so often, one call after the other."""
    source = _CALLS.replace("CALLS", str(calls)) if calls else TRIVIAL
    trio.run(_submit_many, store, count, source)


async def _submit_many(store: PostgresStore, count: int, source: str) -> None:
    options = RunOptions(agent=_agent)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(partial(submit_workflow, store, source, tenant="t", options=options))


async def _work(address: str, given: Settings) -> None:
    store = await trio.to_thread.run_sync(PostgresStore.open, address)
    options = RunOptions(agent=_agent)
    async with Host(options=options, store=store, worker=Worker(slots=given.slots)):
        tell_ready()
        await trio.sleep_forever()


def work(address: str, given: Settings) -> None:
    """Carry runs out until the process is ended."""
    trio.run(_work, address, given)
