"""Calls as events tell of them."""

from __future__ import annotations

from typing import Any

from flowcage.host.events import records
from flowcage.host.events.event import Event
from flowcage.host.resume.looking.calls import CallAttempt, RefusedAnswer, RunCall
from flowcage.protocol.messages import MISSING, AgentRequest, AskRequest, SleepRequest


def take_in(call: RunCall, event: Event) -> None:
    """What an event tells of the call that it is about."""
    match event:
        case records.AgentStarted():
            _begin(call, event)
        case records.AgentProgressed():
            call.model, call.session_id = event.model or call.model, event.session_id or call.session_id
        case records.AnswerRefused() if call.attempts:
            call.attempts[-1].refused.append(RefusedAnswer(event.text, event.message))
            call.model = event.model or call.model
        case records.AgentCompleted():
            _answer(call, event)
        case records.AgentFailed():
            _fail(call, event)
        case records.AgentCancelled():
            _settle(call, "cancelled", event.at)
        case records.Sleeping():
            call.state = "open"
        case records.QuestionAnswered():
            call.value = event.value
            call.error = None if event.message is MISSING else str(event.message)
            _settle(call, "answered" if call.error is None else "failed", event.at)


def _begin(call: RunCall, event: records.AgentStarted) -> None:
    call.request = AgentRequest(call.request.id, event.prompt, dict(event.options))
    call.state = "open"
    call.label, call.phase = event.label or call.label, event.phase or call.phase
    if call.attempts and call.attempts[-1].number == event.attempt:  # taken up by another host
        call.attempts[-1].lives += 1
    else:
        call.attempts.append(CallAttempt(event.attempt, event.at))


def _answer(call: RunCall, event: records.AgentCompleted) -> None:
    call.value, call.reused = event.value, event.cached
    call.model, call.session_id = event.model or call.model, event.session_id or call.session_id
    call.worktree = event.worktree
    if event.from_run_id is not None and event.from_request_id is not None:
        call.reused_from = event.from_run_id, event.from_request_id
    _settle(call, "answered", event.at)


def _fail(call: RunCall, event: records.AgentFailed) -> None:
    call.model = event.model or call.model
    if call.attempts:
        call.attempts[-1].error, call.attempts[-1].ended = event.message, event.at
    if event.will_retry:
        call.state = "queued"
    else:
        call.error = event.message
        _settle(call, "failed" if event.attempt else "refused", event.at)


def _settle(call: RunCall, state: Any, at: float) -> None:
    call.state, call.ended = state, at
    if call.attempts and call.attempts[-1].ended is None:
        call.attempts[-1].ended = at


def call_of(event: Any, identifier: str, path: str) -> RunCall:
    """The call that an event is the first to tell of."""
    name = event.request_id
    label, phase = getattr(event, "label", None), getattr(event, "phase", None)
    match event:
        case records.Sleeping():
            request: Any = SleepRequest(name, event.duration_ms)
            return RunCall(identifier, path, "sleep", request, None, None, event.at)
        case records.QuestionAsked() | records.QuestionAnswered():
            question = getattr(event, "question", "")
            request = AskRequest(name, question)
            return RunCall(identifier, path, "ask", request, label, None, event.at, "open")
    return RunCall(identifier, path, "agent", AgentRequest(name, "", {}), label, phase, event.at)
