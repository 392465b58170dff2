"""Events of what a run waits for beside agents: times and people."""

from __future__ import annotations

from dataclasses import dataclass

from flowcage.host.events.event import Event
from flowcage.protocol.messages import MISSING, Json, Missing


@dataclass(frozen=True)
class Sleeping(Event):
    """The workflow called ``sleep(ms)``."""

    request_id: str
    duration_ms: int


@dataclass(frozen=True)
class FellAsleep(Event):
    """Nothing but waits is left to the run: its children were ended, and its store keeps it.

    Attributes:
        wake_at: when it is woken, in UTC (RFC 3339); None where only an answer from outside wakes it.
        seconds: until then.
    """

    wake_at: str | None
    seconds: float | None


@dataclass(frozen=True)
class Awoke(Event):
    """The run goes on, after so many seconds without a process."""

    slept_seconds: float


@dataclass(frozen=True)
class QuestionAsked(Event):
    """The workflow called ``ask(question, options)``. `Host.answer` takes `root_run_id` and `question_id`."""

    request_id: str
    question_id: str
    question: str
    label: str | None = None
    schema: Json | Missing = MISSING
    options: Json | Missing = MISSING


@dataclass(frozen=True)
class QuestionAnswered(Event):
    """A question has its answer; `message` is there in its place where whoever was asked refused."""

    request_id: str
    question_id: str
    value: Json | Missing = MISSING
    message: str | Missing = MISSING
