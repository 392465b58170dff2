"""Events as OpenTelemetry spans. Needs the extra ``flowcage[opentelemetry]``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

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
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context
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
    """A run's span, and those of its agents at work by request id."""

    def __init__(self, span: Span) -> None:
        self.span = span
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
            self._open_run(event, event.run_id, f"workflow {event.source_name}", event.at)

    def _child_started(self, event: ChildStarted) -> None:
        parent = self._runs.get(event.run_id)
        context = parent.context if parent else None
        self._open_run(event, event.child_run_id, f"workflow {event.source_name}", 0.0, context)

    def _open_run(
        self, event: Event, run_id: str, name: str, age: float, parent: Context | None = None
    ) -> _OpenRun:
        """Open a span that began `age` seconds before this event."""
        attributes: dict[str, str | int | float] = {"flowcage.run_id": run_id}
        if event.tenant:
            attributes["flowcage.tenant"] = event.tenant
        span = self._tracer.start_span(
            _text(name),
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
        attributes: dict[str, str | int | float] = {
            "flowcage.request_id": event.request_id,
            "flowcage.attempt": event.attempt,
        }
        for name in ("label", "phase", "model", "provider"):
            if (value := getattr(event, name)) is not None:
                attributes[f"flowcage.{name}"] = value
        run.agents[event.request_id] = self._tracer.start_span(
            "agent", context=run.context, attributes=_attributes(attributes)
        )

    def _answer_refused(self, event: AnswerRefused) -> None:
        run = self._runs.get(event.run_id)
        span = run.agents.get(event.request_id) if run else None
        if span is not None:
            told: dict[str, str | int | float] = {
                "flowcage.tries": event.tries,
                "exception.message": event.message,
            }
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
            _fail(span, "agent_failed", event.message)
            span.end()
        elif (run := self._runs.get(event.run_id)) is not None:  # a refused call has no `AgentStarted`
            run.span.add_event("agent refused", _attributes({"exception.message": event.message}))

    def _take_agent(self, event: AgentCompleted | AgentFailed | AgentCancelled) -> Span | None:
        run = self._runs.get(event.run_id)
        return run.agents.pop(event.request_id, None) if run else None

    def _run_ended(self, event: RunEnded) -> None:
        run = self._runs.get(event.run_id)
        if run is None:  # it ended before its `RunStarted`
            run = self._open_run(event, event.run_id, "workflow", event.at)
        del self._runs[event.run_id]
        for span in run.agents.values():
            _fail(span, event.verdict, "the run ended first")
            span.end()
        run.span.set_attribute("flowcage.verdict", event.verdict.value)
        if event.verdict is Verdict.COMPLETED:
            run.span.set_status(Status(StatusCode.OK))
        else:
            _fail(run.span, event.verdict, event.error or "")
        run.span.end()


def _of_answer(event: AgentCompleted | AgentFailed | AnswerRefused) -> dict[str, str | int | float]:
    """What an answer, or a failure, has used; costs that are 0 or not known are not told."""
    told: dict[str, str | int | float] = {}
    if event.tokens or isinstance(event, AgentCompleted):
        told["flowcage.tokens"] = event.tokens
    if event.cost_usd:
        told["flowcage.cost_usd"] = event.cost_usd
    if event.usage is not None:
        told["gen_ai.usage.input_tokens"] = event.usage.input
        told["gen_ai.usage.output_tokens"] = event.usage.output
        told["flowcage.cache_read_tokens"] = event.usage.cache_read
        told["flowcage.cache_write_tokens"] = event.usage.cache_write
    if event.model is not None:  # the one that answered, which need not be the one that was asked for
        told["flowcage.answered_by"] = event.model
    return told


def _fail(span: Span, kind: str, message: str) -> None:
    """Record an error by OpenTelemetry's semantic conventions for exceptions; only its text is known."""
    span.add_event("exception", _attributes({"exception.type": str(kind), "exception.message": message}))
    span.set_status(Status(StatusCode.ERROR, _text(message)))


def _attributes(values: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """Attributes whose texts are safe and bounded. All go through here: a child chooses even request ids."""
    return {name: _text(value) if isinstance(value, str) else value for name, value in values.items()}


def _text(text: str) -> str:
    return cut(safe(text), MAX_TEXT)
