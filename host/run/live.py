"""A run whose requests are events: whoever reads them answers them, when and as it likes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeAlias

import trio

from flowcage.host.agents.answer import AgentAnswer, AgentUsage
from flowcage.host.events.records import Event, Listener, Requested
from flowcage.host.events.stream import EventStream
from flowcage.host.outcome.errors import RequestNotWaiting, RequestRejected, RunCancelled
from flowcage.host.outcome.report import Outcome
from flowcage.host.run.reporting import RunStatistics
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json

# Carries a run out and tells of it before it starts.
Job: TypeAlias = Callable[[Callable[[Run], None]], Awaitable[Outcome]]


class _Parked:
    """A request that has a slot and waits for the caller."""

    def __init__(self) -> None:
        self.place: int | None = None  # of its event in the stream
        self.settled = trio.Event()
        self.settlement: AgentAnswer | RequestRejected | None = None


class LiveRun:
    """A run in progress, made by `Host.open_run`.

    Iterating yields every event up to `RunEnded`, and `Requested` for each request but sleeps. Other events
    are dropped where the reader is too slow, and a `Gap` tells of it; requests are not. A request that is
    retried, or whose answer was not what its schema asks for, comes again under the same id.

    Args:
        listener: hears the events, too.
    """

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._stream = EventStream()
        self._parked: dict[str, _Parked] = {}
        self._run: Run | None = None
        self._scope = trio.CancelScope()
        self._over = trio.Event()
        self._outcome: Outcome | None = None
        self._error: Exception = RunCancelled()

    @property
    def id(self) -> str:
        """The run's name in events."""
        return self._begun.id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await anext(self._stream)

    def answer(
        self,
        request_id: str,
        value: Json,
        tokens: int = 0,
        *,
        usage: AgentUsage | None = None,
        cost_usd: float | None = None,
        session_id: str | None = None,
    ) -> None:
        """Answer a request.

        Args:
            request_id: of the `Requested` event's request.
            value: what the workflow gets. Where it cannot be sent, or is not what an agent's schema asks for,
                the request fails or comes again.
            tokens, usage, cost_usd: that an agent used, as in `AgentAnswer`.
            session_id: of the conversation, for ``options.continue`` of later calls.

        Raises:
            RequestNotWaiting: it was settled already, or timed out, or was never made.
            ValueError: one of the figures is no count.
        """
        self._settle(request_id, AgentAnswer(value, tokens, usage, cost_usd, None, session_id))

    def reject(self, request_id: str, message: str) -> None:
        """Reject a request: the workflow sees an Error with this message, unless the call asks for retries.

        Raises:
            RequestNotWaiting: as `answer`.
        """
        self._settle(request_id, RequestRejected(message))

    async def outcome(self) -> Outcome:
        """Wait for the end of the run.

        Raises:
            RunError: as `run_workflow`.
            HostClosing: the host was closed meanwhile.
            RunCancelled: the block was left first.
        """
        await self._over.wait()
        if self._outcome is None:
            raise self._error
        return self._outcome

    def statistics(self) -> RunStatistics:
        """Of the run, now and after its end."""
        return self._begun.statistics()

    def hear(self, event: Event) -> None:
        """Be the run's listener; for the host."""
        if isinstance(event, Requested):
            self._parked[event.request.id].place = self._stream.keep(event)
        else:
            self._stream(event)
        if self._listener is not None:
            self._listener(event)

    async def drive(self, job: Job, *, task_status: trio.TaskStatus[None]) -> None:
        """Carry out the run, started once it has its turn; for the host.

        Raises:
            FlowcageError: it never gets one.
        """

        def begin(run: Run) -> None:
            is_first, self._run = self._run is None, run
            if is_first:  # it may fall asleep, and have another life
                task_status.started()

        try:
            with self._scope:
                self._outcome = await job(begin)
        except Exception as error:
            if self._run is None:
                raise
            self._error = error
        finally:
            self._stream.close()
            self._over.set()

    async def aclose(self) -> None:
        """Cancel what is not over, and wait for its end; for the host."""
        self._scope.cancel()
        with trio.CancelScope(shield=True):
            await self._over.wait()

    @property
    def _begun(self) -> Run:
        assert self._run is not None
        return self._run

    async def answerer(self, kind: str, request: Any) -> AgentAnswer:
        """Make a request an event, and wait for whoever reads it; for the host."""
        parked = self._parked[request.id] = _Parked()
        try:
            self._begun.tell_of_request(kind, request)
            await parked.settled.wait()
        finally:
            self._parked.pop(request.id, None)
            if parked.place is not None:
                self._stream.withdraw(parked.place)
        if isinstance(parked.settlement, RequestRejected):
            raise parked.settlement
        assert parked.settlement is not None
        return parked.settlement

    def _settle(self, request_id: str, settlement: AgentAnswer | RequestRejected) -> None:
        parked = self._parked.pop(request_id, None)
        if parked is None:
            raise RequestNotWaiting(request_id)
        parked.settlement = settlement
        parked.settled.set()
