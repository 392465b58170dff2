"""The room that answers the requests of one run: each gets exactly one resolution, in the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

import trio

from flowcage.host.agents.sendable import require_sendable
from flowcage.host.events import records
from flowcage.host.outcome.errors import HandlerFailed, RequestRejected, RunError
from flowcage.host.outcome.report import UNKNOWN_REQUEST_TYPE
from flowcage.host.run.agent_calls import AgentCalls
from flowcage.host.run.alarms import Alarms
from flowcage.host.run.slots import CallQueue
from flowcage.protocol.messages import (
    AgentRequest,
    Json,
    Ok,
    OkUndefined,
    Rejected,
    Request,
    Resolution,
    Resolve,
    SandboxExecRequest,
    SleepRequest,
    UnknownRequest,
    WorkflowRequest,
)

if TYPE_CHECKING:
    from flowcage.host.run.run import Run

# Answers a request, or arranges for another attempt and returns None.
Work: TypeAlias = Callable[[], Awaitable[Resolution | None]]
Task: TypeAlias = Callable[[], Awaitable[None]]

# While these are dealt with the event loop is held up, and with it every other run.
MAX_REQUESTS_AT_ONCE = 250
MAX_ANSWERS_AT_ONCE = 250


class Answers:
    """Collects resolutions as handlers finish; `Run` takes them when it next talks to the child.

    What waits has no task: agents, child workflows and programs wait in queues, sleeps in a heap.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ready: deque[Resolve] = deque()
        self._arrived = trio.Event()
        self._failure: RunError | None = None
        # A slot is given back by any task of any run; what it starts must not inherit that one's variables.
        self._spawn: Callable[[Task], None] | None = None
        self._closed = False
        self._alarms = Alarms()
        self._agents = AgentCalls(run, self)
        # Of each run, not of the account: a child workflow that waits for its own must not be in their way.
        self._workflows = CallQueue(run.options.max_children)
        self._programs = CallQueue(run.options.max_children)
        self.waiting: dict[str, Request] = {}

    async def wait(self) -> list[Resolve]:
        """Wait until at least one request is answered; return those that are, oldest first.

        Raises:
            HandlerFailed: a handler raised something other than `RequestRejected`.
            RunError: what `abandon` was given.
        """
        await self._arrived.wait()
        self.check()
        ready = [self._ready.popleft() for _ in range(min(len(self._ready), MAX_ANSWERS_AT_ONCE))]
        if not self._ready:
            self._arrived = trio.Event()
        return ready

    def check(self) -> None:
        """Raise what `abandon` was given."""
        if self._failure is not None:
            raise self._failure

    def abandon(self, failure: RunError) -> None:
        """Make `wait` raise: no answer matters any more."""
        self._failure = self._failure or failure
        self._arrived.set()

    async def begin(self, requests: Sequence[Request], nursery: trio.Nursery) -> None:
        """Start answering requests in their order, or give each its place in a queue."""
        if self._spawn is None and requests:
            context = copy_context()
            self._spawn = lambda task: context.run(partial(nursery.start_soon, task))
            nursery.start_soon(self._tend)
        for number, request in enumerate(requests, 1):
            self._begin(request)
            if number % MAX_REQUESTS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()

    def _begin(self, request: Request) -> None:
        self.waiting[request.id] = request
        match request:
            case AgentRequest():
                self._agents.begin(request)
            case SleepRequest():
                self._sleep(request)
            case WorkflowRequest():
                self._begin_workflow(request)
            case SandboxExecRequest():
                self._begin_program(request)
            case UnknownRequest():
                self._reject_unknown(request)
            case _:
                assert_never(request)

    def queue(self, queue: CallQueue, request: Request, work: Work) -> None:
        """Do work in a task of its own once the queue has a slot for it."""
        queue.join(partial(self._start, queue, request, work))

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Have `callback` called in so many seconds, unless the run is over by then."""
        self._alarms.after(seconds, callback)

    def settle(self, request_id: str, resolution: Resolution) -> None:
        """Hand an answer over."""
        del self.waiting[request_id]
        self._ready.append(Resolve(request_id, resolution))
        self._arrived.set()

    async def _tend(self) -> None:
        """Mind the clock; and see that nothing is started once the run's nursery has been cancelled."""
        try:
            await self._alarms.watch()
        finally:
            self._closed = True

    def _start(self, queue: CallQueue, request: Request, work: Work) -> bool:
        if self._closed:
            return False
        assert self._spawn is not None
        self._spawn(partial(self._answer, queue, request, work))
        return True

    async def _answer(self, queue: CallQueue, request: Request, work: Work) -> None:
        """Hold a slot while the work is done; one bad handler ends its run and nothing else."""
        queue.started()
        try:
            await trio.lowlevel.checkpoint_if_cancelled()  # no work begins in a run that is being ended
            resolution = await work()
            if resolution is not None:
                self.settle(request.id, resolution)
        except RequestRejected as rejected:
            self.settle(request.id, Rejected(str(rejected)))
        except BaseExceptionGroup as group:  # a handler's own nursery: our cancellation beside its errors
            cancelled, errors = group.split(trio.Cancelled)
            if errors is not None:
                if not isinstance(errors, ExceptionGroup):
                    raise  # KeyboardInterrupt, SystemExit
                self._fail(request, errors)
            if cancelled is not None:
                raise cancelled from None
        except Exception as error:
            self._fail(request, error)
        finally:
            queue.release()

    def _fail(self, request: Request, error: Exception) -> None:
        name = type(request).__name__
        failure = HandlerFailed(f"the handler of {name} {request.id} raised {error!r}")
        failure.__cause__ = error
        self.abandon(failure)

    def _sleep(self, request: SleepRequest) -> None:
        self._run.emit(records.Sleeping, request_id=request.id, duration_ms=request.duration_ms)
        self.after(request.duration_ms / 1000, partial(self.settle, request.id, OkUndefined()))

    def _reject_unknown(self, request: UnknownRequest) -> None:
        """What a later version may ask; the workflow may go on without it, but nobody shall wonder why."""
        message = f"this host does not know requests of type {request.type[:40]!r}; use a newer one"
        self._run.note(UNKNOWN_REQUEST_TYPE, message)
        self.settle(request.id, Rejected(message))

    def _begin_workflow(self, request: WorkflowRequest) -> None:
        handler = self._run.options.workflow
        if handler is None:
            self.settle(request.id, Rejected("this host runs no child workflows"))
        else:
            self._queue_handler(self._workflows, request, partial(handler, self._run, request))

    def _begin_program(self, request: SandboxExecRequest) -> None:
        handler = self._run.options.sandbox_exec
        if handler is None:
            refusal = "SW.sandbox.exec() is refused: this host has no handler that runs programs"
            self.settle(request.id, Rejected(refusal))
        else:
            self._queue_handler(self._programs, request, partial(handler, request))

    def _queue_handler(
        self, queue: CallQueue, request: Request, handler: Callable[[], Awaitable[Json]]
    ) -> None:
        async def work() -> Resolution:
            value = await handler()
            require_sendable(value, self._run.options.limits.max_message_bytes)
            return Ok(value, self._run.account.budget)

        self.queue(queue, request, work)
