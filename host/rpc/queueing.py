"""Runs that clients put into the queue of the store, for workers to carry out and to answer.

Such a run is nobody's: no client answers for it, and it goes on without any. What a client hears of it is
told from its history.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from flowcage.host.durable.records import Summary
from flowcage.host.durable.store import Store
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.news import news, told
from flowcage.host.resume.looking.telling import Telling
from flowcage.host.resume.looking.watching import changes
from flowcage.host.resume.new.queued import OF_WORKERS, Place, queued_run, submit
from flowcage.host.resume.new.requeued import queue_again, queue_fork
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.rpc.problems import invalid
from flowcage.host.rpc.settings import Settings, run_id_of
from flowcage.host.tenants.named_runs import submission
from flowcage.protocol.messages import MISSING

if TYPE_CHECKING:
    from flowcage.host.rpc.client import Client, Params


class Queued(NamedTuple):
    """A run that is in the queue.

    Attributes:
        begin: lets its events go to the client, once that knows of it.
    """

    run_id: str
    begin: Callable[[], None]


class Queueing:
    """Of one host.

    Args:
        store: of the queue.
        settings: of the host.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def start(self, client: Client, params: Params) -> Queued:
        """Put a new run into the queue, or find the one that has its key.

        Raises:
            Refusal: a param is wrong.
            AlreadyThere, StoreFailed: as `Store.create`.
        """
        options, run_id = self._options("run.start", params), run_id_of("run.start", "runId", params)
        tenant, name = self._settings.tenant, params.get("sourceName", "workflow.js")
        asked = submission(tenant, params["source"], name, params.get("args", MISSING), options, run_id)
        run = queued_run(
            *(self._store, run_id, asked.source, asked.source_name, asked.args, options),
            Place(self._settings.queue or ""),
            tenant=tenant,
            start_key=params.get("key"),
            handlers=OF_WORKERS,
        )
        submitted = await submit(self._store, run)
        return self.followed(client, submitted.run_id, params)

    async def go_on(self, client: Client, summary: Summary, way: str, params: Params) -> Queued:
        """Have a worker go on with a run, or fork it.

        Raises:
            NotResumable, NotForkable: there is nothing to go on with.
            AlreadyThere, StoreFailed: as `Store.create`.
        """
        run_id, tenant = summary.run_id, self._settings.tenant
        if way == "fork":
            most = self._options("run.resume", params).max_cost_usd
            fork = await queue_fork(self._store, run_id, tenant, max_cost_usd=most, **self._forked(params))
            return self.followed(client, fork, params)
        if summary.pool is None:
            why = f"run {run_id} was begun by a host of its own, and no worker takes it; fork it"
            raise NotResumable(why)
        again = params.get("evenIfCancelled", False)
        await queue_again(self._store, run_id, tenant, even_if_cancelled=again)
        return self.followed(client, run_id, params)

    def followed(self, client: Client, run_id: str, params: Params) -> Queued:
        """A run whose events a client hears where it wants to."""
        wants = params.get("events", client.wants_events)
        return Queued(run_id, (lambda: client.tell(run_id, self._events(run_id))) if wants else _nothing)

    def _options(self, method: str, params: Params) -> Any:
        if "agentTimeoutSeconds" in params.get("options", {}):
            raise invalid(method, "/options/agentTimeoutSeconds", "workers choose this; leave it out")
        return self._settings.chosen(method, params)[0]

    def _forked(self, params: Params) -> dict[str, Any]:
        return {
            "source": params.get("source"),
            "source_name": params.get("sourceName"),
            "args": params.get("args", MISSING),
            "from_call": params.get("fromCall"),
            "new_id": run_id_of("run.resume", "newRunId", params),
            "pool": self._settings.queue or "",
        }

    async def _events(self, run_id: str) -> AsyncGenerator[Event]:
        """What has happened in a run, and what happens, to its end."""
        record = await self._store.load(run_id)
        telling = Telling(record.summary, record.rules)
        for event in told(telling, record.entries):
            yield event
        async with aclosing(news(self._store, telling, changes(self._store, run_id))) as found:
            async for _, events in found:
                for event in events:
                    yield event
        record = await self._store.load(run_id)
        for event in told(telling, record.entries):
            yield event
        if (last := telling.end(record)) is not None:
            yield last


def _nothing() -> None:
    """For a client that hears nothing of a run."""
