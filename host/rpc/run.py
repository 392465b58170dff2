"""One run of this process: who answers its requests, who hears its events, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, AgentsUnavailable
from flowcage.host.agents.people import Question
from flowcage.host.events.records import Event, QuestionAnswered, QuestionAsked, RunEnded
from flowcage.host.events.stream import EventStream
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.rpc import handlers
from flowcage.host.rpc.asks import Asks
from flowcage.host.rpc.wire import ClientGone
from flowcage.host.run.options import Caller, RunOptions, WorkflowHandler
from flowcage.protocol.messages import MISSING, Json, SandboxExecRequest, WorkflowRequest

T = TypeVar("T")


class Answerer(Protocol):
    """A client, as a run sees it."""

    asks: Asks
    handlers: frozenset[str]
    goes_on: bool
    can_be_followed: bool
    left: trio.Event


class RpcRun:
    """A run that a client has started, resumed or attached.

    Args:
        client: that it belongs to; None from when that is gone.
        own_agent, own_workflow: the host's own, for requests that the client does not answer.
        agent_seconds: for one attempt that the client answers; None for no limit.

    Attributes:
        run_id: in events, and in the host's store.
        source_name: of its source.
        began_at: in milliseconds since 1970.
        ready: set once whoever asked for it knows of it.
        begun: set with its first event.
        over: set once `outcome` says how it ended.
        cancel: ends it; when that returns, its child is gone. None where it is over.
        is_elsewhere: whether another host has it: this one has only found it, by its start key.
        cancel_reason: of whoever cancelled it; None where nobody has.
        questions: by id, those that wait for an answer.
        told: by client that hears of it, set once its last event is sent.
    """

    def __init__(
        self,
        run_id: str,
        source_name: str,
        began_at: int,
        client: Answerer,
        own_agent: Agent | None,
        own_workflow: WorkflowHandler | None,
        agent_seconds: float | None,
    ) -> None:
        self.run_id = run_id
        self.source_name = source_name
        self.began_at = began_at
        self.client: Answerer | None = client
        self._answered = client.handlers  # by the last client, also when that is gone
        self.ready = trio.Event()
        self.begun = trio.Event()
        self.over = trio.Event()
        self.outcome: dict[str, Any] = {}
        self.ended: RunEnded | None = None
        self.cancel: Callable[[], Awaitable[None]] | None = None
        self.is_elsewhere: Callable[[], bool] = lambda: False
        self.cancel_reason: str | None = None
        self.questions: dict[str, QuestionAsked] = {}
        self.told: WeakKeyDictionary[object, trio.Event] = WeakKeyDictionary()
        self._own_agent = own_agent
        self._own_workflow = own_workflow
        self._agent_seconds = agent_seconds
        self._streams: list[EventStream] = []
        self._attached = trio.Event()
        self._is_lost = False

    # ---- what the host is given --------------------------------------------------------------

    def options(self, chosen: RunOptions) -> RunOptions:
        """Options with this run's handlers and listener."""
        answered = self._answered
        return replace(
            chosen,
            agent=self.agent,
            workflow=self.workflow if "workflow" in answered else self._own_workflow,
            sandbox_exec=self.sandbox_exec if "sandboxExec" in answered else None,
            ask=self.ask if "ask" in answered else None,
            listener=self.hear,
        )

    def hear(self, event: Event) -> None:
        """Pass an event on."""
        self.begun.set()
        if isinstance(event, RunEnded) and event.run_id == self.run_id:
            self.ended = event
        elif isinstance(event, QuestionAsked):
            self.questions[event.question_id] = event
        elif isinstance(event, QuestionAnswered):
            self.questions.pop(event.question_id, None)
        for stream in self._streams:
            stream(event)

    async def agent(self, call: AgentCall) -> AgentAnswer:
        """Answer ``agent()``."""
        if self._own_agent is not None and not self._is_answered("agent"):
            return await self._own_agent(call)
        if self._agent_seconds is None:
            return await self._ask_agent(call)
        with trio.move_on_after(self._agent_seconds) as scope:
            deadline = min(call.deadline, scope.deadline)
            return await self._ask_agent(replace_deadline(call, deadline))
        raise AgentError(f"the agent took longer than agentTimeoutSeconds ({self._agent_seconds:g} s)")

    async def workflow(self, caller: Caller, request: WorkflowRequest) -> Json:
        """Answer ``workflow()``."""
        kept = caller.kept
        if kept is not None and kept.args is not MISSING:  # what the client would say now does not matter
            return await handlers.run_child(caller, request, kept)
        return await self._with_client(
            "workflow", lambda client, _: handlers.ask_workflow(client.asks, caller, request, self.run_id)
        )

    async def sandbox_exec(self, request: SandboxExecRequest) -> Json:
        """Answer ``SW.sandbox.exec()``."""
        return await self._with_client(
            "sandboxExec", lambda client, _: handlers.ask_sandbox(client.asks, request, self.run_id)
        )

    async def ask(self, question: Question) -> Json:
        """Answer ``ask()``."""

        def why() -> str:
            return "ended" if question.id in self.questions else "settled"

        return await self._with_client(
            "ask", lambda client, _: handlers.ask_person(client.asks, question, self.run_id, why)
        )

    # ---- who answers -------------------------------------------------------------------------

    def attach(self, client: Answerer) -> None:
        """Let a client answer, where nobody does."""
        self.client = client
        self._answered = client.handlers
        self._is_lost = False
        self._attached.set()

    def detach(self) -> None:
        """The client is gone."""
        assert self.client is not None
        self._is_lost = self.client.goes_on and not self.client.can_be_followed
        self.client = None
        self._attached = trio.Event()

    def events(self) -> EventStream:
        """A bounded stream of what is heard from now on."""
        stream = EventStream.of(self.run_id)
        self._streams.append(stream)
        return stream

    def end(self, outcome: dict[str, Any]) -> None:
        """Say how it ended, and keep nothing else: a thousand that are over may be remembered."""
        self.outcome = outcome
        self.client = self.cancel = None
        for stream in self._streams:
            stream.close()
        self._streams = []
        self.over.set()

    def _is_answered(self, kind: str) -> bool:
        return kind in self._answered

    async def _ask_agent(self, call: AgentCall) -> AgentAnswer:
        async def once(client: Answerer, is_again: bool) -> AgentAnswer:
            asked = replace(call, interrupted=True) if is_again else call
            return await handlers.ask_agent(client.asks, asked, self.run_id)

        try:
            return await self._with_client("agent", once)
        except _Nobody as nobody:
            raise AgentsUnavailable(str(nobody)) from None

    async def _with_client(self, kind: str, work: Callable[[Answerer, bool], Awaitable[T]]) -> T:
        is_again = False
        while True:
            await self.ready.wait()
            client = await self._client(kind)
            try:
                return await work(client, is_again)
            except ClientGone:
                is_again = True
                await client.left.wait()

    async def _client(self, kind: str) -> Answerer:
        while self.client is None:
            if self._is_lost:
                raise _Nobody(f"the client that answers {kind} requests is gone")
            await self._attached.wait()
        if kind not in self.client.handlers:
            raise _Nobody(f"neither the client nor the host answers {kind} requests")
        return self.client


class _Nobody(RequestRejected):
    """There is no client to be asked, and there will be none."""


def replace_deadline(call: AgentCall, deadline: float) -> AgentCall:
    """The same call with an earlier deadline."""
    return call if deadline == call.deadline else replace(call, deadline=deadline)
