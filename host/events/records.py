"""What can be watched of a run while it goes on: events, version 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flowcage.host.agents.answer import AgentUsage, usage_of
from flowcage.host.agents.call import AgentCall
from flowcage.host.events.event import EVENT_TYPES as EVENT_TYPES
from flowcage.host.events.event import Event as Event
from flowcage.host.events.notes import Diagnosed as Diagnosed
from flowcage.host.events.waits import Awoke as Awoke
from flowcage.host.events.waits import FellAsleep as FellAsleep
from flowcage.host.events.waits import QuestionAnswered as QuestionAnswered
from flowcage.host.events.waits import QuestionAsked as QuestionAsked
from flowcage.host.events.waits import Sleeping as Sleeping
from flowcage.host.outcome.report import Census
from flowcage.host.outcome.usage import Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import MISSING, Json

VERSION = 2


@dataclass(frozen=True)
class RunStarted(Event):
    """The child is caged and the source compiled.

    Attributes:
        parent_run_id: of the workflow that asked for this one; None for the root.
        source_sha256, args_sha256: of the text, and of the args as JSON, in hexadecimal.
        dialect: that the child found; None from a child that does not tell.
        limits: the effective ones, by their names on the wire.
        versions: of flowcage, the protocol, these events, and the engine.
        metadata: as whoever started the run gave it.
    """

    source_name: str
    parent_run_id: str | None = None
    source_sha256: str = ""
    args_sha256: str = ""
    dialect: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class ChildStarted(Event):
    """A child workflow begins; its own events carry `child_run_id` as their run."""

    child_run_id: str
    source_name: str


@dataclass(frozen=True)
class ChildEnded(Event):
    """A child workflow is over. `error` is None where it has a result."""

    child_run_id: str
    verdict: Verdict
    error: str | None


@dataclass(frozen=True)
class PhaseEntered(Event):
    """The workflow called ``phase(name, options)``; without options, they are `MISSING`."""

    name: str
    options: Json = MISSING


@dataclass(frozen=True)
class Logged(Event):
    """The workflow called ``log(...values)``."""

    values: tuple[Json, ...]


@dataclass(frozen=True)
class AgentQueued(Event):
    """The workflow called ``agent()``. One `AgentCompleted`, `AgentCancelled`, or `AgentFailed` that is not
    retried, ends the call.
    """

    request_id: str
    label: str | None = None
    phase: str | None = None


@dataclass(frozen=True)
class AgentStarted(Event):
    """An agent was given a slot and its prompt.

    Attributes:
        attempt: counted from 1.
        model, provider: that the call asks for.
        options: all of the call's.
        key: as in `AgentCall`.
    """

    request_id: str
    prompt: str
    label: str | None = None
    phase: str | None = None
    attempt: int = 1
    model: str | None = None
    provider: str | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True)
class AgentProgressed(Event):
    """Word of an agent at work; members as in `flowcage.agents.Progress`, each None where nothing is new."""

    request_id: str
    text: str | None = None
    usage: AgentUsage | None = None
    cost_usd: float | None = None
    model: str | None = None
    session_id: str | None = None


@dataclass(frozen=True)
class AnswerRefused(Event):
    """An answer does not fit the call's schema.

    `text` is its beginning; `tries` counts the answers of the attempt; what it cost is as in `AgentAnswer`.
    """

    request_id: str
    attempt: int
    tries: int
    message: str
    text: str
    tokens: int = 0
    usage: AgentUsage | None = None
    cost_usd: float | None = 0.0
    model: str | None = None


@dataclass(frozen=True)
class AgentCompleted(Event):
    """An agent answered after `seconds`.

    Attributes:
        tokens, usage, cost_usd, model, session_id, worktree: as in `AgentAnswer`.
        tries: answers that were needed.
        cached: whether the answer was there already: it is that of another run, of which `from_run_id` and
            `from_request_id` tell, and it was not paid for again. `attempt` and `tries` are 0.
        value: the answer; `MISSING` where the run's options withhold values.
    """

    request_id: str
    seconds: float
    tokens: int
    attempt: int = 1
    tries: int = 1
    usage: AgentUsage | None = None
    cost_usd: float | None = 0.0
    model: str | None = None
    session_id: str | None = None
    cached: bool = False
    value: Json = MISSING
    from_run_id: str | None = None
    from_request_id: str | None = None
    worktree: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class AgentFailed(Event):
    """An attempt came to nothing after `seconds`; unless there will be another, the call is over.

    `attempt` is 0 for a call that was refused before it began. `refused_text` is the last answer that did not
    fit the call's schema, after `tries` answers; what that cost is told by its own `AnswerRefused`. What the
    attempt has cost otherwise is as in `AgentAnswer`.
    """

    request_id: str
    seconds: float
    message: str
    attempt: int = 1
    will_retry: bool = False
    tries: int = 0
    refused_text: str | None = None
    tokens: int = 0
    usage: AgentUsage | None = None
    cost_usd: float | None = 0.0
    model: str | None = None


@dataclass(frozen=True)
class AgentCancelled(Event):
    """The workflow ended before this call did. `attempt` is 0 for one that had not begun.

    `tokens` and `cost_usd` are what it had cost by then that no other event tells of.
    """

    request_id: str
    attempt: int
    tokens: int = 0
    cost_usd: float | None = 0.0


@dataclass(frozen=True)
class Requested(Event):
    """A live run's request waits for `LiveRun.answer` or `LiveRun.reject`; it has a slot already.

    Attributes:
        request: an `AgentCall`, or the request as the protocol has it.
        kind: its type on the wire.
    """

    request: Any
    kind: str = "agent"

    def to_json(self) -> dict[str, Any]:
        """The request as the wire has it; an agent's with what was wrong with its last answer, if any."""
        members = super().to_json()
        members.pop("kind")
        return members | {"request": {"type": self.kind} | _members(self.request)}


@dataclass(frozen=True)
class Gap(Event):
    """`dropped` events are missing here: whoever reads them is too slow. `at` is that of the first."""

    dropped: int


@dataclass(frozen=True)
class RunEnded(Event):
    """The child is gone. `error` is None where there is a result; `usage` and `census` as in `Report`."""

    verdict: Verdict
    error: str | None
    usage: Usage = field(default_factory=Usage)
    census: Census = field(default_factory=Census)


Listener: TypeAlias = Callable[[Event], None]

EVENT_TYPES |= {
    RunStarted: "started",
    Diagnosed: "diagnostic",
    PhaseEntered: "phase",
    Logged: "log",
    AgentQueued: "agent_queued",
    AgentStarted: "agent_started",
    AgentProgressed: "agent_progress",
    AnswerRefused: "answer_refused",
    AgentCompleted: "agent_completed",
    AgentFailed: "agent_failed",
    AgentCancelled: "agent_cancelled",
    ChildStarted: "child_started",
    ChildEnded: "child_ended",
    Sleeping: "sleep",
    FellAsleep: "asleep",
    Awoke: "awake",
    QuestionAsked: "question_asked",
    QuestionAnswered: "question_answered",
    Requested: "requested",
    Gap: "gap",
    RunEnded: "ended",
}
BY_TYPE = {name: kind for kind, name in EVENT_TYPES.items()}


# Types of the events that tell what one answer cost.
WITH_USAGE = frozenset({"agent_completed", "agent_failed", "answer_refused"})


def of_answer(members: Mapping[str, Any], *, withhold_value: bool = False) -> dict[str, Any]:
    """Members of an event that tells a cost, from those that the core emits, which are JSON."""
    told = {name: value for name, value in members.items() if name != "value" or not withhold_value}
    return told | {"usage": usage_of(members.get("usage"))}


def _members(request: Any) -> dict[str, Any]:
    if isinstance(request, AgentCall):
        problem = {} if request.problem is None else {"problem": request.problem}
        return {"id": request.id, "prompt": request.prompt, "options": request.options} | problem
    named = request._asdict().items()
    return {camel_case(name): value for name, value in named if value is not MISSING}
