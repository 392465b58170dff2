"""One request in a task of its own: whoever is asked, and the input that comes of it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeAlias

import trio

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer, Progress
from flowcage.host.agents.asking import ask as ask_agent
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentsUnavailable, OptionNotHonoured, ShareTooSmall
from flowcage.host.agents.schema import checker
from flowcage.host.agents.schema.checker import SchemaRefused
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.agents.sendable import require_sendable
from flowcage.host.outcome.errors import RequestRejected
from flowcage.host.process.allowance import Allowance
from flowcage.host.run.asking.given import input_of, refused, short_of_share
from flowcage.host.run.asking.meter import Cost, Meter
from flowcage.host.run.asking.outage import Outage
from flowcage.host.run.asking.witness import Witness
from flowcage.host.run.core import kinds
from flowcage.host.run.core.agents.spending import Left
from flowcage.host.run.core.commands import Ask
from flowcage.host.run.core.inputs import Answered, Charged, Heard, Input, Reason, Refused
from flowcage.host.run.node import Node
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.memory import Memory
from flowcage.host.run.slots import Share
from flowcage.protocol.messages import AgentRequest, Isolation, Missing, SandboxExecRequest

# Answers requests of every kind in place of the handlers: kind by name, and what is asked.
Answerer: TypeAlias = Callable[[str, Any], Awaitable[AgentAnswer]]
Emit: TypeAlias = Callable[[Node, str, dict[str, Any]], None]


class Answering:
    """Asks handlers for one run.

    Args:
        witness: is told what comes of agents; it has the tenant's name.
        schemas: makes what applies those of agent calls; called for the first that has one.
        feed: takes what comes of a request.
        emit: tells whoever watches that an agent was given its prompt.
        keep: waits until what has happened is kept, and says whether it is; called before an agent is asked
            once more.
        left: what the agent of a request that is at work may spend.
        answerer: is asked instead of the handlers, if there is one.

    Attributes:
        holds: whether a request is not to be asked, because no agent can be.
    """

    def __init__(
        self,
        witness: Witness,
        schemas: Callable[[], SchemaChecks],
        feed: Callable[[Input], None],
        emit: Emit,
        keep: Callable[[], Awaitable[bool]],
        left: Callable[[str], Left],
        answerer: Answerer | None,
    ) -> None:
        self._witness = witness
        self._make_schemas = schemas
        self._feed = feed
        self._emit = emit
        self._keep = keep
        self._left = left
        self._outage = Outage()
        self.holds = self._outage.holds
        self._answerer = answerer
        self._open: dict[str, Ask | None] = {}  # attempts at work, and the further try that each is to make

    @cached_property
    def schemas(self) -> SchemaChecks:
        """Applies the schemas of agent calls."""
        return self._make_schemas()

    def take_over(self, further: Ask) -> bool:
        """Give a further try to the attempt that it belongs to, if that is still at work."""
        if further.id not in self._open:
            return False
        self._open[further.id] = further
        return True

    def answer(self, node: Node, asked: Ask) -> Coroutine[Any, Any, None]:
        """Ask, and feed what comes of it.

        Raises:
            Exception: the handler's own, which is no answer.
        """
        request = asked.request
        if isinstance(request, AgentRequest):
            return self._attempt(node, asked, request)
        return self._answer_other(node, asked)

    async def _answer_other(self, node: Node, asked: Ask) -> None:
        try:
            _require_repeatable(node, asked)
            value = await self._handle(node, asked)
            require_sendable(value, node.options.limits.max_message_bytes)
        except RequestRejected as refusal:
            self._feed(Refused(asked.id, str(refusal)))
        else:
            self._feed(Answered(asked.id, value))

    async def _handle(self, node: Node, asked: Ask) -> Any:
        kind = asked.kind
        if self._answerer is not None:
            return (await self._answerer(kind.name, asked.request)).value
        handler = getattr(node.options, kind.name)
        if kind.with_caller:
            return await handler(node.caller(asked.id), asked.request)
        return await handler(asked.request)

    async def _attempt(self, node: Node, asked: Ask, request: AgentRequest) -> None:
        memory = Memory(asked.id, self._feed, self._keep)
        is_watched = node.options.listener is not None
        watch = partial(self._tell_of_progress, node, request.id) if is_watched else None
        began = (meter := Meter(watch, memory.told)).began
        call = self._call(node, asked, request, began + asked.timeout_ms / 1000, memory, meter)
        if is_watched and asked.heard is None:
            self._tell_of_start(node, call)
            if node.is_failing:  # the listener raised: nobody waits for an answer
                return
        self._witness.asked(call)
        try:
            if call.deadline == math.inf:  # most calls: a scope costs a tenth of their round trip
                await self._tries(node, call, asked, meter)
                return
            with trio.move_on_at(call.deadline):
                await self._tries(node, call, asked, meter)
                return
            message = f"the agent took longer than options.timeoutMs ({asked.timeout_ms:g} ms)"
            spent, facts = meter.read()
            spent = spent._replace(seconds=round(trio.current_time() - began, 6))
            self._take(call, refused(asked.id, message, Cost(spent, facts), Reason.TIMEOUT), meter)
        except trio.Cancelled:
            self._witness.cut_off(call, meter)
            self._charge(asked, meter)
            raise
        finally:
            memory.is_over = True
            self._open.pop(asked.id, None)
            self._outage.halt(node, len(self._open))

    async def _tries(self, node: Node, call: AgentCall, asked: Ask, meter: Meter) -> None:
        while True:
            self._open[asked.id] = None
            try:
                given = await self._try(node, call, asked, meter)
            except AgentsUnavailable as error:  # the call has no end: it is asked again
                meter.fail(error)
                self._charge(asked, meter)
                self._witness.unavailable(call, error)
                self._outage.begin(error)
                return
            self._take(call, given, meter)
            if (further := self._open[asked.id]) is None:
                return
            meter.begin()  # what was spent before is fed
            await self._keep()
            if node.is_failing or self._outage.failure is not None:
                return
            left = self._left(asked.id)
            call = replace(
                call,
                problem=further.problem,
                refused=further.refused,
                interrupted=False,
                handle=further.handle,
                cost_left=left.cost_usd,
                tokens_left=left.tokens,
                is_held=left.is_share,
            )
            asked = further
            meter.put()

    def _take(self, call: AgentCall, given: Answered | Refused, meter: Meter) -> None:
        self._witness.came_to(call, given, meter)
        self._feed(given)

    def _charge(self, asked: Ask, meter: Meter) -> None:
        """Count what was spent for an answer that nobody gets."""
        if meter.has_cost:
            self._feed(Charged(asked.id, *meter.read()))

    async def _try(self, node: Node, call: AgentCall, asked: Ask, meter: Meter) -> Answered | Refused:
        schemas = None if call.schema is None else self.schemas
        max_bytes = node.options.limits.max_message_bytes
        heard = asked.heard

        def hear(answer: AgentAnswer) -> None:
            nonlocal heard
            if heard is None:
                meter.hear(answer)
                heard = Heard(asked.id, answer.value, *meter.read())
                meter.begin()
                self._feed(heard)

        try:
            agent = self._agent(node, asked)
            reply = await ask_agent(agent, call, schemas=schemas, max_bytes=max_bytes, hear=hear)
        except AgentsUnavailable:
            raise
        except (SchemaRefused, OptionNotHonoured) as refusal:
            return refused(asked.id, str(refusal), meter.read(), Reason.BAD_CALL)
        except ShareTooSmall as short:
            meter.fail(short)
            return short_of_share(asked.id, short, meter.read())
        except RequestRejected as refusal:
            meter.fail(refusal)
            return refused(asked.id, str(refusal), meter.read())
        if heard is None:
            meter.hear(reply.answer)
            return input_of(asked.id, reply, meter.read())
        return input_of(asked.id, reply, Cost(meter.read().spent, heard.facts))

    def _agent(self, node: Node, asked: Ask) -> Agent:
        if asked.heard is not None:
            return partial(_again, asked.heard)
        return node.options.agent if self._answerer is None else partial(self._answerer, asked.kind.name)

    def _call(
        self, node: Node, asked: Ask, request: AgentRequest, deadline: float, memory: Memory, meter: Meter
    ) -> AgentCall:
        options, left = request.options, self._left(asked.id)
        return AgentCall(
            request.id,
            request.prompt,
            {} if isinstance(options, Missing) else node.phase_defaults.fill_in(options),
            asked.problem,
            node.id,
            node.id if node.parent is None else node.root.id,
            self._witness.tenant,
            asked.phase or None,
            asked.attempt,
            deadline,
            asked.interrupted,
            asked.handle,
            memory,
            asked.refused,
            asked.session,
            watcher=meter.tell,
            cost_left=left.cost_usd,
            tokens_left=left.tokens,
            is_held=left.is_share,
        )

    def _tell_of_progress(self, node: Node, request: str, progress: Progress) -> None:
        self._emit(node, "agent_progress", {"request_id": request, **vars(progress)})

    def _tell_of_start(self, node: Node, call: AgentCall) -> None:
        members = {
            "request_id": call.id,
            "prompt": call.prompt,
            "label": call.label,
            "phase": call.phase,
            "attempt": call.attempt,
            "model": call.model,
            "provider": call.provider,
            "options": call.options,
            "key": call.key,
        }
        self._emit(node, "agent_started", members)


def _require_repeatable(node: Node, asked: Ask) -> None:
    request = asked.request
    if not (asked.interrupted and isinstance(request, SandboxExecRequest)):
        return
    if node.options.on_interrupted.get(request.profile, "again") == "reject":
        raise RequestRejected(
            f"the program of profile {request.profile[:100]!r} was at work when the host ended: it may have "
            "run, and is not run again"
        )


async def _again(heard: Heard, _call: AgentCall) -> AgentAnswer:
    return AgentAnswer(heard.value)


def answered(options: RunOptions, answerer: Answerer | None, *, is_kept: bool) -> frozenset[str]:
    """Names of the kinds of request that somebody answers. Of a run that is kept, people do from outside."""
    names = [kind.name for kind in kinds.KINDS.values()]
    found = {each for each in names if answerer or getattr(options, each, None) is not None}
    return frozenset(found | {"ask"} if is_kept else found)


def schemas_of(share: Share, isolation: Isolation | None, allowance: Allowance) -> SchemaChecks:
    """What applies the schemas of one run."""
    slots = share.checkers or trio.CapacityLimiter(checker.AT_ONCE)
    return SchemaChecks(checker.Checker(slots, isolation, share.process, allowance.charge_cpu))
