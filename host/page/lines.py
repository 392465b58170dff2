"""An event as one line of text for a person."""

from __future__ import annotations

from collections.abc import Sequence

from flowcage.host.events import records
from flowcage.host.events.event import Event
from flowcage.host.resume.looking.telling import Resumed
from flowcage.host.terminal.text import cut, safe
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, Json

_SHOWN = 200  # characters of a text in a line


def line(event: Event) -> str:
    """What happened. A text of a script's or an agent's is on one line, and without controls."""
    return _of_run(event) or _of_wait(event) or _of_agent(event) or ""


def logged(values: Sequence[Json]) -> str:
    """What a call of ``log()`` says."""
    return " ".join(value if isinstance(value, str) else strictjson.dumps(value) for value in values)


def _of_run(event: Event) -> str | None:
    match event:
        case records.RunStarted():
            return f"{_short(event.source_name)} began"
        case records.ChildStarted():
            return f"child workflow {_short(event.source_name)} begins"
        case records.ChildEnded():
            return f"child workflow ended: {_short(str(event.verdict))}"
        case records.RunEnded():
            return f"ended: {_short(str(event.verdict))}" + (
                f": {_short(event.error)}" if event.error else ""
            )
        case records.PhaseEntered():
            return f"phase {_short(event.name)}"
        case records.Logged():
            return _short(logged(event.values))
        case records.Gap():
            return f"{event.dropped} events are missing here"
        case Resumed():
            return f"the run goes on, in its life {event.life}"
        case records.Diagnosed():
            return _short(str(event.diagnostic.get("message")))
    return None


def _of_wait(event: Event) -> str | None:
    match event:
        case records.Sleeping():
            return f"sleeps for {event.duration_ms / 1000:g} s"
        case records.FellAsleep():
            return "asleep" + (f" until {_short(event.wake_at)}" if event.wake_at else "")
        case records.Awoke():
            return f"awake after {event.slept_seconds:.0f} s"
        case records.QuestionAsked():
            return f"question {_short(event.question_id)}: {_short(event.question)}"
        case records.QuestionAnswered():
            refused = "" if event.message is MISSING else f": {_short(str(event.message))}"
            return f"question {_short(event.question_id)} is settled{refused}"
        case records.Requested():
            return f"request of kind {_short(event.kind)}"
    return None


def _of_agent(event: Event) -> str | None:
    match event:
        case records.AgentQueued():
            return f"agent {_name(event.request_id, event.label)} is queued"
        case records.AgentStarted():
            attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return f"agent {_name(event.request_id, event.label)} begins{attempt}"
        case records.AgentProgressed():
            return f"agent {_name(event.request_id)}: {_short(event.text or 'at work')}"
        case records.AnswerRefused():
            return f"agent {_name(event.request_id)}: answer refused: {_short(event.message)}"
        case records.AgentCompleted(cached=True):
            return f"agent {_name(event.request_id)} has the answer of an earlier run"
        case records.AgentCompleted():
            return f"agent {_name(event.request_id)} answered in {event.seconds:.2f} s"
        case records.AgentFailed():
            again = " and is retried" if event.will_retry else ""
            return f"agent {_name(event.request_id)} failed{again}: {_short(event.message)}"
        case records.AgentCancelled():
            return f"agent {_name(event.request_id)} was cancelled"
    return None


def _name(identifier: str, label: str | None = None) -> str:
    return _short(f"{identifier} ({label})" if label else identifier)


def _short(text: str) -> str:
    return safe(cut(" ".join(text[: 4 * _SHOWN].split()), _SHOWN))
