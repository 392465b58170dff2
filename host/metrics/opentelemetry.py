"""Events as OpenTelemetry spans. Needs the extra ``flowcage[opentelemetry]``.

Attributes follow the semantic conventions for generative AI where these have a name, and are ``flowcage.``
else. The events of an agent's start and end come in the task of its call: there its span is made current, so
spans of the handler are under it, and so is whatever it passes the trace on to (`host/agents/trace.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flowcage.host.agents.trace import AgentTrace, set_trace
from flowcage.host.events.records import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentStarted,
    AnswerRefused,
    ChildStarted,
    Event,
    Listener,
    PhaseEntered,
    RunEnded,
    RunStarted,
)
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.terminal.text import cut, safe

try:
    from opentelemetry.context import Context, attach, get_current
    from opentelemetry.trace import (
        Span,
        SpanKind,
        Status,
        StatusCode,
        Tracer,
        get_current_span,
        set_span_in_context,
    )
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise ImportError(
        "spans need opentelemetry-api, which is not installed: pip install 'flowcage[opentelemetry]'"
    ) from error

# Characters of a name or message, which the workflow chooses and exporters send on.
MAX_TEXT = 500


def spans(tracer: Tracer) -> Listener:
    """As `flowcage.events.spans`."""
    return _Spans(tracer).on_event


class _OpenRun:
    """A run's span, and those of its agents at work by request id.

    Attributes:
        around: the context in which the run was begun.
        context: that in which its own spans are made.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.around = get_current()
        self.context = set_span_in_context(span)
        self.agents: dict[str, Span] = {}


class _Spans:
    """The spans of all runs that have not ended."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._runs: dict[str, _OpenRun] = {}
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            RunStarted: self._run_started,
            ChildStarted: self._child_started,
            PhaseEntered: self._phase_entered,
            AgentStarted: self._agent_started,
            AnswerRefused: self._answer_refused,
            AgentCancelled: self._agent_cancelled,
            AgentCompleted: self._agent_completed,
            AgentFailed: self._agent_failed,
            RunEnded: self._run_ended,
        }

    def on_event(self, event: Event) -> None:
        """The listener."""
        if (handler := self._handlers.get(type(event))) is not None:
            handler(event)

    def _run_started(self, event: RunStarted) -> None:
        if event.run_id not in self._runs:  # a child workflow has its span since `ChildStarted`
            self._open_run(event, event.run_id, event.source_name, event.at)

    def _child_started(self, event: ChildStarted) -> None:
        parent = self._runs.get(event.run_id)
        context = parent.context if parent else None
        self._open_run(event, event.child_run_id, event.source_name, 0.0, context)

    def _open_run(
        self, event: Event, run_id: str, name: str, age: float, parent: Context | None = None
    ) -> _OpenRun:
        """Open a span that began `age` seconds before this event."""
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "invoke_workflow",
            "flowcage.run_id": run_id,
        }
        if name:
            attributes["gen_ai.workflow.name"] = name
        if event.tenant:
            attributes["flowcage.tenant"] = event.tenant
        span = self._tracer.start_span(
            _text(f"invoke_workflow {name}".strip()),
            context=parent,
            start_time=time.time_ns() - round(age * 1e9),
            attributes=_attributes(attributes),
        )
        run = self._runs[run_id] = _OpenRun(span)
        return run

    def _phase_entered(self, event: PhaseEntered) -> None:
        if (run := self._runs.get(event.run_id)) is not None:
            run.span.add_event("phase", _attributes({"flowcage.phase": event.name}))

    def _agent_started(self, event: AgentStarted) -> None:
        if (run := self._runs.get(event.run_id)) is None:
            return
        kind = event.options.get("agentType")
        name = f"invoke_agent {kind}" if isinstance(kind, str) else "invoke_agent"
        span = run.agents[event.request_id] = self._tracer.start_span(
            _text(name), context=run.context, kind=SpanKind.INTERNAL, attributes=_attributes(_of_call(event))
        )
        context = set_span_in_context(span, run.around)
        attach(context)
        set_trace(_trace_of(span, context))

    def _answer_refused(self, event: AnswerRefused) -> None:
        run = self._runs.get(event.run_id)
        span = run.agents.get(event.request_id) if run else None
        if span is not None:
            told = {"flowcage.tries": event.tries}
            span.add_event("answer refused", _attributes(told | _of_answer(event)))

    def _agent_cancelled(self, event: AgentCancelled) -> None:
        if (span := self._take_agent(event)) is not None:  # else it had not begun
            _fail(span, "agent_cancelled", "the workflow ended first")
            span.end()

    def _agent_completed(self, event: AgentCompleted) -> None:
        if (span := self._take_agent(event)) is not None:
            span.set_attributes(_attributes(_of_answer(event)))
            span.set_status(Status(StatusCode.OK))
            span.end()

    def _agent_failed(self, event: AgentFailed) -> None:
        span = self._take_agent(event)
        if span is not None:
            span.set_attributes(_attributes(_of_answer(event)))
            # Why an answer is refused may quote it.
            message = (
                event.message if event.refused_text is None else f"no valid answer in {event.tries} tries"
            )
            _fail(span, "agent_failed", message)
            span.end()
        elif (run := self._runs.get(event.run_id)) is not None:  # a refused call has no `AgentStarted`
            run.span.add_event("agent refused", _attributes({"exception.message": event.message}))

    def _take_agent(self, event: AgentCompleted | AgentFailed | AgentCancelled) -> Span | None:
        run = self._runs.get(event.run_id)
        span = run.agents.pop(event.request_id, None) if run else None
        if run is not None and span is not None:
            _leave(run, span)
        return span

    def _run_ended(self, event: RunEnded) -> None:
        run = self._runs.get(event.run_id)
        if run is None:  # it ended before its `RunStarted`
            run = self._open_run(event, event.run_id, "", event.at)
        del self._runs[event.run_id]
        for span in run.agents.values():
            _leave(run, span)
            _fail(span, event.verdict, "the run ended first")
            span.end()
        run.span.set_attribute("flowcage.verdict", event.verdict.value)
        if event.verdict is Verdict.COMPLETED:
            run.span.set_status(Status(StatusCode.OK))
        else:
            _fail(run.span, event.verdict, event.error or "")
        run.span.end()


def _leave(run: _OpenRun, span: Span) -> None:
    """Have a span be current no more, in the task where it is: an event of its end may come in another."""
    if get_current_span() is span:
        attach(run.around)
        set_trace(None)


def _of_call(event: AgentStarted) -> dict[str, str | int | float]:
    """What is known of a call before it has an answer; neither its prompt nor its other options."""
    told: dict[str, str | int | float] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.output.type": "text" if event.options.get("schema") is None else "json",
        "flowcage.request_id": event.request_id,
        "flowcage.attempt": event.attempt,
    }
    names = {
        "gen_ai.agent.name": event.options.get("agentType"),
        "gen_ai.provider.name": event.provider,
        "gen_ai.request.model": event.model,
        "flowcage.label": event.label,
        "flowcage.phase": event.phase,
    }
    return told | {name: value for name, value in names.items() if isinstance(value, str)}


def _of_answer(event: AgentCompleted | AgentFailed | AnswerRefused) -> dict[str, str | int | float]:
    """What an answer, or a failure, has used; costs that are 0 or not known are not told."""
    told: dict[str, str | int | float] = {}
    if event.tokens or isinstance(event, AgentCompleted):
        told["flowcage.tokens"] = event.tokens
    if event.cost_usd:
        told["flowcage.cost_usd"] = event.cost_usd
    if (usage := event.usage) is not None:
        # By the conventions the input has what came from a cache and what was put there.
        told["gen_ai.usage.input_tokens"] = usage.input + usage.cache_read + usage.cache_write
        told["gen_ai.usage.output_tokens"] = usage.output
        told["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read
        told["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write
    if event.model is not None:  # the one that answered, which need not be the one that was asked for
        told["gen_ai.response.model"] = event.model
    if isinstance(event, AgentCompleted) and event.session_id is not None:
        told["gen_ai.conversation.id"] = event.session_id
    return told


def _trace_of(span: Span, context: Context) -> AgentTrace | None:
    """What agents pass on; None where the tracer records nothing."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, context)
    if "traceparent" not in carrier:
        return None

    def describe(attributes: Mapping[str, str]) -> None:
        span.set_attributes(_attributes(attributes))

    return AgentTrace(carrier["traceparent"], carrier.get("tracestate", ""), describe)


def _fail(span: Span, kind: str, message: str) -> None:
    """Record an error by OpenTelemetry's semantic conventions; only its text is known."""
    span.set_attribute("error.type", str(kind))
    span.add_event("exception", _attributes({"exception.type": str(kind), "exception.message": message}))
    span.set_status(Status(StatusCode.ERROR, _text(message)))


def _attributes(values: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """Attributes whose texts are safe and bounded. All go through here: a child chooses even request ids."""
    return {name: _text(value) if isinstance(value, str) else value for name, value in values.items()}


def _text(text: str) -> str:
    return cut(safe(text), MAX_TEXT)
