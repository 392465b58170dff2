"""Events as lines for a person."""

from __future__ import annotations

from typing import TypeAlias

from flowcage.host.cli.live.names import Names
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.terminal import text
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING

_OfAgent: TypeAlias = (
    records.AgentStarted
    | records.AnswerRefused
    | records.AgentCompleted
    | records.AgentFailed
    | records.AgentCancelled
)


class Narrator:
    """Tells events as lines. It remembers what each agent call is called until the call is over.

    Args:
        has_prompt: whether questions are shown by somebody else.
    """

    def __init__(self, *, has_prompt: bool = False) -> None:
        self._has_prompt = has_prompt
        self._names: dict[tuple[str, str], str] = {}
        self._children = Names()

    def line(self, event: Event) -> tuple[str, str] | None:
        """A style and one line about an event; None for those that a person need not see.

        A line of a child workflow ends in its name.
        """
        if isinstance(event, records.ChildStarted):
            self._children.begin(event.child_run_id, _first_line(event.source_name))
        told = self._line(event)
        return None if told is None else (told[0], self.named(event, told[1]))

    def named(self, event: Event, line: str) -> str:
        """The line with the name of the child workflow that it is about."""
        name = self._children.of(event.run_id)
        return line if name is None else f"{line}  [{name}]"

    def _line(self, event: Event) -> tuple[str, str] | None:
        if isinstance(event, records.PhaseEntered):
            return "bold cyan", f"== {event.name}"
        if isinstance(event, records.Logged):
            return "", "   " + " ".join(map(_text, event.values))
        if isinstance(event, records.QuestionAsked):
            name = f" {_first_line(event.label)}" if event.label else ""
            asked = f"?? question {event.question_id}{name}: {_first_line(event.question)}"
            how = f"answer with: flowcage answer {event.root_run_id} {event.question_id} JSON"
            return None if self._has_prompt else ("bold yellow", f"{asked}\n{how}")
        if isinstance(event, records.QuestionAnswered):
            refused = "" if event.message is MISSING else ": nobody answers it"
            return "green", f"<- question {event.question_id} is settled{refused}"
        if isinstance(event, records.ChildStarted):
            return "cyan", f"-> workflow {self._children.of(event.child_run_id)}"
        if isinstance(event, records.ChildEnded):
            style = "cyan" if event.verdict == "completed" else "red"
            return style, f"<- workflow {self._children.of(event.child_run_id) or '?'} ended: {event.verdict}"
        if isinstance(event, records.FellAsleep):
            return "dim", "zz asleep" + (f" until {event.wake_at}" if event.wake_at else "")
        if isinstance(event, records.Awoke):
            return "dim", f"zz awake after {event.slept_seconds:.0f} s"
        return self._line_of_agent(event)

    def _line_of_agent(self, event: Event) -> tuple[str, str] | None:
        if isinstance(event, records.AgentQueued):
            if event.label:
                self._names[event.run_id, event.request_id] = f"{event.request_id} {_first_line(event.label)}"
            return None
        if isinstance(event, records.AgentStarted):
            called = "" if event.label else f" {_first_line(event.prompt)}"
            attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return "dim", f"-> agent {self._name(event)}{called}{attempt}"
        if isinstance(event, records.AnswerRefused):
            return "yellow", f"!! agent {self._name(event)} gave an answer that is refused: {event.message}"
        return self._line_of_end(event)

    def _line_of_end(self, event: Event) -> tuple[str, str] | None:
        if isinstance(event, records.AgentCompleted) and event.cached:
            return "dim", f"<- agent {self._name(event, is_over=True)} has the answer of the run before"
        if isinstance(event, records.AgentCompleted):
            return "green", f"<- agent {self._name(event, is_over=True)} answered in {event.seconds:.2f} s"
        if isinstance(event, records.AgentFailed):
            again = " and is retried" if event.will_retry else ""
            name = self._name(event, is_over=not event.will_retry)
            return "red", f"!! agent {name} failed{again}: {event.message}"
        if isinstance(event, records.AgentCancelled):
            name = self._name(event, is_over=True)
            # One that had not begun cost nothing, and there may be thousands.
            return ("yellow", f"!! agent {name} was cancelled: its workflow ended") if event.attempt else None
        return None

    def _name(self, event: _OfAgent, *, is_over: bool = False) -> str:
        key = (event.run_id, event.request_id)
        name = self._names.pop(key, None) if is_over else self._names.get(key)
        return event.request_id if name is None else name


def _text(value: object) -> str:
    return value if isinstance(value, str) else strictjson.dumps(value)


def _first_line(prompt: str) -> str:
    return text.cut(prompt.split("\n", 1)[0], 60)
