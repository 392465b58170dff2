"""Runs in progress, as asyncio programs have them."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Self

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.events.records import Event
from flowcage.host.on_asyncio.crossing import in_host, in_host_now
from flowcage.host.outcome.report import Outcome
from flowcage.host.run.live import LiveRun as LiveRunOnTrio
from flowcage.host.run.reporting import RunStatistics
from flowcage.host.tenants.started.handle import RunHandle as RunHandleOnTrio
from flowcage.host.tenants.started.handle import Standing
from flowcage.protocol.messages import Json


class LiveRun:
    """A run in progress, made by `Host.open_run`: see `flowcage.LiveRun`."""

    def __init__(self, live: LiveRunOnTrio) -> None:
        self._live = live
        self._read: deque[Event] = deque()  # an event that came while its reader was cancelled stays here

    @property
    def id(self) -> str:
        """The run's name in events."""
        return self._live.id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._read:
            await in_host(self._next)
        if not self._read:
            raise StopAsyncIteration
        return self._read.popleft()

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
        """Answer a request: see `flowcage.LiveRun.answer`."""
        figures = {"usage": usage, "cost_usd": cost_usd, "session_id": session_id}
        in_host_now(partial(self._live.answer, request_id, value, tokens, **figures))  # type: ignore[arg-type]

    def reject(self, request_id: str, message: str) -> None:
        """Reject a request: see `flowcage.LiveRun.reject`."""
        in_host_now(partial(self._live.reject, request_id, message))

    async def outcome(self) -> Outcome:
        """Wait for the end of the run: see `flowcage.LiveRun.outcome`."""
        return await in_host(self._live.outcome)

    def statistics(self) -> RunStatistics:
        """Of the run, now and after its end."""
        return in_host_now(self._live.statistics)

    async def _next(self) -> None:
        async for event in self._live:
            self._read.append(event)
            return


class RunHandle:
    """A run that `Host.start` has started: see `flowcage.RunHandle`."""

    def __init__(self, handle: RunHandleOnTrio) -> None:
        self._handle = handle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunHandle) and other._handle is self._handle

    def __hash__(self) -> int:
        return hash(self._handle)

    @property
    def run_id(self) -> str:
        """In events, and in the host's store."""
        return self._handle.run_id

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self._handle.tenant

    @property
    def state(self) -> Standing:
        """``waiting`` for its turn, ``running``, ``asleep``, ``elsewhere`` or ``ended``."""
        return self._handle.state

    async def outcome(self) -> Outcome:
        """Wait for the end of the run, through all of its sleeps: see `flowcage.RunHandle.outcome`."""
        return await in_host(self._handle.outcome)

    async def wait(self) -> None:
        """Wait for the end, whatever it is."""
        await in_host(self._handle.wait)

    async def cancel(self) -> None:
        """End the run, wherever it is. When this returns, its child is gone; another host's is told to."""
        await in_host(self._handle.cancel)

    def statistics(self) -> RunStatistics | None:
        """Of the run now, or as it last was; None before its first turn in this host."""
        return in_host_now(self._handle.statistics)
