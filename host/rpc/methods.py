"""What the requests of clients do: those about connections and live runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from flowcage.host.durable.errors import AlreadyThere
from flowcage.host.resume.looking.watching import may_change
from flowcage.host.rpc.checking import checked
from flowcage.host.rpc.client import MOST_OPEN, Client, Late, Method, Params
from flowcage.host.rpc.kept import Kept
from flowcage.host.rpc.problems import Refusal, invalid
from flowcage.host.rpc.run import RpcRun
from flowcage.host.rpc.runs import Runs, now
from flowcage.host.rpc.settings import Settings, run_id_of
from flowcage.host.rpc.told.rows import part_of, row_of
from flowcage.host.rpc.wire import MAX_MESSAGE_BYTES
from flowcage.host.tenants.host import Host
from flowcage.protocol.messages import MISSING
from flowcage.protocol.version import PACKAGE_VERSION
from flowcage.schemas.host import METHODS

VERSIONS = ["1.0"]
_CHECKS_AT_ONCE = 2


class Methods:
    """Those of one host.

    Args:
        host: that carries runs out.
        runs: of this process.
        kept: the runs of the store; None without one.
        settings: of the host.
    """

    def __init__(self, host: Host, runs: Runs, kept: Kept | None, settings: Settings) -> None:
        self._host = host
        self._runs = runs
        self._kept = kept
        self._settings = settings
        self._checks = trio.CapacityLimiter(_CHECKS_AT_ONCE)
        self._queueing = None if kept is None or settings.queue is None else kept.queueing

    def table(self) -> dict[str, Method]:
        """By name."""
        named = [name for name, each in METHODS.items() if each.sender == "client" and each.is_answered]
        return {name: getattr(self, name.replace(".", "_")) for name in named}

    async def initialize(self, client: Client, params: Params) -> tuple[Params, None]:
        """Agree on the version, and take what the client says of itself."""
        if client.is_ready:
            raise Refusal("invalid_state", "initialize was answered before")
        if params["protocolVersion"] not in VERSIONS:
            asked = params["protocolVersion"][:40]
            raise Refusal("protocol_version", f"version {asked!r} is not spoken here", supported=VERSIONS)
        if self._queueing is not None and params.get("handlers"):
            why = "runs of this host go into a queue, and workers answer them: expected no handlers"
            raise invalid("initialize", "/handlers", why)
        client.handlers = frozenset(params.get("handlers", []))
        client.goes_on = params.get("onDisconnect") == "continue"
        client.wants_events = params.get("events", False)
        client.is_ready = True
        options = self._settings.options
        return {
            "protocolVersion": VERSIONS[0],
            "hostInfo": {"name": "flowcage", "version": PACKAGE_VERSION},
            "methods": list(self.table()),
            "limits": options.limits.to_wire(),
            "options": self._settings.told(),
            "isolation": options.isolation or "strict",
            "maxMessageBytes": MAX_MESSAGE_BYTES,
            "maxOpenRequests": MOST_OPEN,
            "maxRuns": self._settings.max_runs,
            "store": self._kept is not None,
            "tenant": self._settings.tenant,
        }, None

    async def run_start(self, client: Client, params: Params) -> tuple[Params, Callable[[], None]]:
        """Start a run that is the client's, or put one into the queue."""
        if self._queueing is not None:
            try:
                queued = await self._queueing.start(client, params)
            except AlreadyThere as error:
                raise _in_use(error, params, params.get("runId", "")) from None
            return {"runId": queued.run_id}, queued.begin
        options, seconds = self._settings.chosen("run.start", params)
        run_id = run_id_of("run.start", "runId", params)
        if self._runs.follows(run_id):
            raise Refusal("run_id_in_use", f"run {run_id} goes on", runId=run_id)
        if "key" in params and self._kept is None:
            raise Refusal("no_store", "key needs a store that remembers it")
        run = self.new_run(run_id, params.get("sourceName", "workflow.js"), client, seconds)
        try:
            handle = await self._host.start(
                params["source"],
                tenant=self._settings.tenant,
                source_name=run.source_name,
                args=params.get("args", MISSING),
                options=run.options(options),
                run_id=run_id,
                key=params.get("key"),
            )
        except AlreadyThere as error:
            raise _in_use(error, params, run_id) from None
        if handle.run_id != run_id:
            run.run_id = handle.run_id
            if self._runs.follows(handle.run_id):
                return {"runId": handle.run_id}, lambda: None
        self._runs.follow(run, handle)
        return {"runId": run.run_id}, self.begin(client, run, params)

    def new_run(self, run_id: str, name: str, client: Client, seconds: float | None) -> RpcRun:
        """A run of a client, which nobody carries out yet."""
        own = self._settings
        return RpcRun(run_id, name, now(), client, own.agent, own.workflow, seconds)

    def begin(self, client: Client, run: RpcRun, params: Params) -> Callable[[], None]:
        """What lets a run's events and requests go to a client, once that knows of it."""
        if params.get("events", client.wants_events):
            client.follow(run)
        return run.ready.set

    async def run_wait(self, client: Client, params: Params) -> tuple[Late, None]:
        """Wait for the end of a run."""
        run = self._runs.get(params["runId"])
        if run is not None and self._kept is not None and await self._kept.has_gone_on(run):
            run = None
        if run is None:
            await self._store(params["runId"]).wait(params["runId"])
        else:
            await run.over.wait()
            if (told := run.told.get(client)) is not None:
                await told.wait()
        return partial(self._ended, params["runId"], run), None

    async def _ended(self, run_id: str, run: RpcRun | None) -> Params:
        outcome = await self._store(run_id).outcome(run_id) if run is None else run.outcome
        return {"runId": run_id, "outcome": outcome}

    async def run_cancel(self, _client: Client, params: Params) -> tuple[Params, None]:
        """End a run."""
        run_id, reason = params["runId"], params.get("reason", "")
        run = self._runs.going_on(run_id)
        if run is not None:
            run.cancel_reason = run.cancel_reason or reason
            if self._kept is not None:
                await self._kept.mark_cancelled(run_id, reason)
            if run.cancel is not None:
                await run.cancel()
            await run.over.wait()
            return {"runId": run_id, "done": "ended"}, None
        if self._runs.get(run_id) is not None and self._kept is None:
            raise Refusal("run_has_ended", f"run {run_id} has ended", runId=run_id)
        return {"runId": run_id, "done": await self._store(run_id).cancel(run_id, reason)}, None

    async def run_attach(self, client: Client, params: Params) -> tuple[Params, Callable[[], None]]:
        """Let a client answer for a run that has none."""
        run_id = params["runId"]
        run = self._runs.going_on(run_id)
        if run is None and (queued := await self._queued(client, params)) is not None:
            return queued
        if run is None:
            is_known = self._runs.get(run_id) is not None
            if is_known or (self._kept is not None and await self._kept.is_over(run_id)):
                raise Refusal("run_has_ended", f"run {run_id} has ended", runId=run_id)
            raise _unknown(run_id)
        if run.client is client:
            return {"runId": run_id, "state": "running"}, lambda: None
        if run.client is not None:
            raise Refusal("run_has_client", f"another client has run {run_id}", runId=run_id)
        run.ready = trio.Event()
        run.attach(client)
        return {"runId": run_id, "state": "running"}, self.begin(client, run, params)

    async def _queued(self, client: Client, params: Params) -> tuple[Params, Callable[[], None]] | None:
        """A run that workers carry out, whose events a client may hear; None where it is none, or is over."""
        if self._kept is None:
            return None
        summary = await self._kept.summary(params["runId"])
        if summary.pool is None or not may_change(summary):
            return None
        queued = self._kept.queueing.followed(client, summary.run_id, params)
        return {"runId": summary.run_id, "state": summary.state}, queued.begin

    async def check(self, _client: Client, params: Params) -> tuple[Late, None]:
        """Say what is wrong with a source."""
        return partial(self._checked, params), None

    async def _checked(self, params: Params) -> Params:
        async with self._checks:
            return await checked(params, self._settings.options.limits)

    async def agent_remember(self, client: Client, params: Params) -> tuple[Params, None]:
        """Keep a note for a call at work."""
        asked = client.asks.get(params["id"])
        if asked is None or asked.call is None:
            raise Refusal("not_waiting", "no agent.ask with this id waits for an answer")
        try:
            await asked.call.remember(params["handle"])
        except RuntimeError:
            raise Refusal("not_waiting", "the call has ended") from None
        return {}, None

    async def shutdown(self, client: Client, _params: Params) -> tuple[Params, None]:
        """End the client's part."""
        await client.leave()
        return {}, None

    # ---- of the store ------------------------------------------------------------------------

    async def run_get(self, _client: Client, params: Params) -> tuple[Late, None]:
        """How a run stands."""
        return partial(self._standing, params["runId"]), None

    async def _standing(self, run_id: str) -> Params:
        run = self._runs.get(run_id)
        if self._kept is not None:
            return await self._kept.get(run_id, run)
        if run is None:
            raise _unknown(run_id)
        told: dict[str, Any] = {"run": row_of(run), "questions": []}
        return told | ({"outcome": run.outcome} if run.over.is_set() else {})

    async def run_list(self, _client: Client, params: Params) -> tuple[Late, None]:
        """Some runs."""
        return partial(self._listed, params), None

    async def _listed(self, params: Params) -> Params:
        if self._kept is not None:
            return await self._kept.list(params, self._runs)
        rows = [row_of(run) for run in reversed(list(self._runs))]
        return part_of(rows, params)

    async def run_resume(
        self, client: Client, params: Params
    ) -> tuple[Params | Late, Callable[[], None] | None]:
        """Go on with a kept run, or explain that."""
        return await self._needed().resume(self, client, params)

    async def run_answer(self, _client: Client, params: Params) -> tuple[Params, None]:
        """Answer a question."""
        await self._needed().host.answer(
            params["runId"], params["questionId"], params["value"], tenant=self._settings.tenant
        )
        return {}, None

    async def run_reject(self, _client: Client, params: Params) -> tuple[Params, None]:
        """Refuse to answer a question."""
        await self._needed().host.reject(
            params["runId"], params["questionId"], params["message"], tenant=self._settings.tenant
        )
        return {}, None

    def _store(self, run_id: str) -> Kept:
        if self._kept is None:
            raise _unknown(run_id)
        return self._kept

    def _needed(self) -> Kept:
        if self._kept is None:
            raise Refusal("no_store", "the host keeps no runs")
        return self._kept


def _unknown(run_id: str) -> Refusal:
    return Refusal("unknown_run", f"there is no run {run_id[:100]!r}", runId=run_id)


def _in_use(error: AlreadyThere, params: Params, run_id: str) -> Refusal:
    if "start key" in str(error) and "key" in params:
        return Refusal("key_in_use", str(error))
    return Refusal("run_id_in_use", str(error), runId=run_id)
