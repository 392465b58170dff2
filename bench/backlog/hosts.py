"""flowcage with whole runs: a host that is a worker carries out what was submitted, each in its cage."""

from __future__ import annotations

from functools import partial
from typing import Any

import trio
from backlog.contract import Settings, tell_began, tell_ready

from flowcage import Host, submit_workflow
from flowcage.host import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.postgres.store import PostgresStore
from flowcage.host.durable.queue.records import Taken, Wanted
from flowcage.host.durable.records import Created
from flowcage.host.durable.ticket import Ticket
from flowcage.host.resume.new.queued import Place, queued_run
from flowcage.host.tenants.working.worker import Worker

TRIVIAL = "export default 1"
_CALLS = """let n = 0;
for (let i = 0; i < CALLS; i++) n += (await agent('question ' + i)).length;
export default n;"""


class Hosts:
    """See `Engine`; a job begins when its worker has its claim.

    Args:
        address: of the database.
        calls: how often each run asks an agent, one call after the other.
    """

    program = "backlog.hosts"

    def __init__(self, address: str, calls: int = 0) -> None:
        self.address = address
        self._source = _source(calls)
        self.store = PostgresStore.open(address)

    def defer(self, tenant: str, number: int) -> None:
        self._queue(tenant, number).wait()

    def defer_many(self, tenant: str, count: int) -> None:
        for ticket in [self._queue(tenant, number) for number in range(count)]:
            ticket.wait()

    def _queue(self, tenant: str, number: int) -> Ticket[Created]:
        what = (self.store, f"{tenant}-{number}", self._source, "w.js", None, _OPTIONS)
        return self.store.create(queued_run(*what, Place(), tenant=tenant), queued=True)

    def close(self) -> None:
        self.store.close()


async def _agent(call: AgentCall) -> AgentAnswer:
    return AgentAnswer(f"an answer to {call.prompt}", tokens=1)


_OPTIONS = RunOptions(agent=_agent)


def _source(calls: int) -> str:
    return _CALLS.replace("CALLS", str(calls)) if calls else TRIVIAL


class _Tells(PostgresStore):
    """Tells of each claim."""

    def take(self, wanted: Wanted) -> Any:
        return self._telling(super().take(wanted))

    async def _telling(self, ticket: Ticket[list[Taken]]) -> list[Taken]:
        taken = await ticket
        for run in taken:
            tenant, _, number = run.run_id.rpartition("-")
            if number.isdigit():
                tell_began(tenant, int(number))
        return taken


def submit_many(store: PostgresStore, count: int, calls: int) -> None:
    """Hand runs in, each of which asks an agent so often, one call after the other."""
    trio.run(_submit_many, store, count, _source(calls))


async def _submit_many(store: PostgresStore, count: int, source: str) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(partial(submit_workflow, store, source, tenant="t", options=_OPTIONS))


async def _work(address: str, given: Settings) -> None:
    store = await trio.to_thread.run_sync(_Tells.open, address)

    async def agent(call: AgentCall) -> AgentAnswer:
        await trio.sleep(given.hold_seconds)
        return await _agent(call)

    options = RunOptions(agent=agent)
    async with Host(options=options, store=store, worker=Worker(slots=given.slots)):
        tell_ready()
        await trio.sleep_forever()


def work(address: str, given: Settings) -> None:
    """Carry runs out until the process is ended."""
    trio.run(_work, address, given)
