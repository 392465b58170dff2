"""Answers the requests of one run: each in a task of its own, each with exactly one resolution."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from flowcage.host import events
from flowcage.host.account import Ticket
from flowcage.host.agents.base import AgentAnswer, AgentCall
from flowcage.host.errors import HandlerFailed, ProtocolViolation, RequestRejected, RunError
from flowcage.protocol.messages import (
    AgentRequest,
    Json,
    Missing,
    Ok,
    OkUndefined,
    Rejected,
    Request,
    Resolution,
    Resolve,
    SandboxExecRequest,
    SleepRequest,
    WorkflowRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowcage.host.run import Run


class Answers:
    """Collects resolutions as handlers finish; `Run` takes them when it next talks to the child."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ready: list[Resolve] = []
        self._arrived = trio.Event()
        self._failure: RunError | None = None
        self.waiting: dict[str, Request] = {}

    async def wait(self) -> list[Resolve]:
        """Wait until at least one request is answered; return all that are.

        Raises:
            HandlerFailed: a handler raised something other than `RequestRejected`.
            RunError: what `abandon` was given.
        """
        await self._arrived.wait()
        self._arrived = trio.Event()
        self.check()
        ready, self._ready = self._ready, []
        return ready

    def check(self) -> None:
        """Raise what `abandon` was given."""
        if self._failure is not None:
            raise self._failure

    def abandon(self, failure: RunError) -> None:
        """Make `wait` raise: no answer matters any more."""
        self._failure = self._failure or failure
        self._arrived.set()

    def require_room(self, count: int) -> None:
        """Refuse more requests than may be outstanding, before the first of them costs anything."""
        if len(self.waiting) + count > self._run.options.limits.max_pending_requests:
            raise ProtocolViolation("the child has more requests outstanding than its limit")

    def begin(self, request: Request, nursery: trio.Nursery) -> None:
        """Start answering a request; agents queue for their slots in the order of these calls."""
        if request.id in self.waiting:
            raise ProtocolViolation(f"the child gave two requests the id {request.id[:40]!r}")
        self.waiting[request.id] = request
        ticket = self._run.account.slots.ticket() if isinstance(request, AgentRequest) else None
        nursery.start_soon(self._answer, request, ticket)

    async def _answer(self, request: Request, ticket: Ticket | None) -> None:
        """Answer one request; never raises, so that one bad handler ends its run and nothing else."""
        resolution: Resolution
        try:
            resolution = await self._resolve(request, ticket)
        except RequestRejected as rejected:
            resolution = Rejected(str(rejected))
        except BaseExceptionGroup as group:  # a handler's own nursery: our cancellation beside its errors
            cancelled, errors = group.split(trio.Cancelled)
            if errors is not None:
                if not isinstance(errors, ExceptionGroup):
                    raise  # KeyboardInterrupt, SystemExit
                self._fail(request, errors)
            if cancelled is not None:
                raise cancelled from None
            return
        except Exception as error:
            self._fail(request, error)
            return
        del self.waiting[request.id]
        self._ready.append(Resolve(request.id, resolution))
        self._arrived.set()

    def _fail(self, request: Request, error: Exception) -> None:
        name = type(request).__name__
        failure = HandlerFailed(f"the handler of {name} {request.id} raised {error!r}")
        failure.__cause__ = error
        self.abandon(failure)

    async def _resolve(self, request: Request, ticket: Ticket | None) -> Resolution:
        if isinstance(request, AgentRequest):
            assert ticket is not None
            return await self._agent(request, ticket)
        if isinstance(request, SleepRequest):
            self._run.emit(events.Sleeping, request_id=request.id, duration_ms=request.duration_ms)
            await trio.sleep(request.duration_ms / 1000)
            return OkUndefined()
        if isinstance(request, WorkflowRequest):
            return self._ok(await self._workflow(request))
        return self._ok(await self._sandbox_exec(request))

    async def _workflow(self, request: WorkflowRequest) -> Json:
        handler = self._run.options.workflow
        if handler is None:
            raise RequestRejected("this host runs no child workflows")
        return await handler(self._run, request)

    async def _sandbox_exec(self, request: SandboxExecRequest) -> Json:
        handler = self._run.options.sandbox_exec
        if handler is None:
            raise RequestRejected("SW.sandbox.exec() is refused: this host has no handler that runs programs")
        return await handler(request)

    async def _agent(self, request: AgentRequest, ticket: Ticket) -> Resolution:
        call = AgentCall(request.id, request.prompt, _options(request.options))
        async with ticket, self._watched(call) as completed:
            answer = await self._run.options.agent(call)
            completed.append(answer)
            self._run.account.charge(answer.tokens)
        return self._ok(answer.value)

    @asynccontextmanager
    async def _watched(self, call: AgentCall) -> AsyncIterator[list[AgentAnswer]]:
        """Tell of an agent's start and end."""
        run, started = self._run, trio.current_time()
        run.account.agents += 1
        run.emit(
            events.AgentStarted,
            request_id=call.id,
            prompt=call.prompt,
            label=_text(call.options, "label"),
            phase=_text(call.options, "phase"),
        )
        completed: list[AgentAnswer] = []
        try:
            yield completed
        except RequestRejected as error:
            seconds = trio.current_time() - started
            run.emit(events.AgentFailed, request_id=call.id, seconds=seconds, message=str(error))
            raise
        seconds = trio.current_time() - started
        tokens = completed[0].tokens
        run.emit(events.AgentCompleted, request_id=call.id, seconds=seconds, tokens=tokens)

    def _ok(self, value: Json) -> Ok:
        return Ok(value, self._run.account.budget)


def _options(options: dict[str, Json] | Missing) -> Mapping[str, Json]:
    return {} if isinstance(options, Missing) else options


def _text(options: Mapping[str, Json], name: str) -> str | None:
    value = options.get(name)
    return value if isinstance(value, str) else None
