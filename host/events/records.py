"""What can be watched of a run while it goes on: events, version 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from flowcage.host.agents.base import AgentCall, AgentUsage, usage_of
from flowcage.host.outcome.report import Census, Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import MISSING, Json

VERSION = 2


@dataclass(frozen=True)
class Event:
    """Something happened in a run.

    Attributes:
        run_id: which run; a child workflow has its own.
        at: seconds since the root run began, on a monotonic clock.
        seq: counts the events of the root run and all of its child workflows, from 1.
        time: of the day, in UTC (RFC 3339).
        root_run_id: of the run that the host started.
        tenant: whose run it is; "" where no `Host` runs it.
    """

    run_id: str
    at: float
    seq: int = field(default=0, kw_only=True)
    time: str = field(default="", kw_only=True)
    root_run_id: str = field(default="", kw_only=True)
    tenant: str = field(default="", kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """One line of an events file: ``type`` first, names in camelCase; what is `MISSING` is left out."""
        members: dict[str, Any] = {"type": EVENT_TYPES[type(self)]}
        for each in fields(self):  # not `asdict`: it copies logged values, and recurses into them
            value = getattr(self, each.name)
            if value is not MISSING:
                members[camel_case(each.name)] = value.to_json() if hasattr(value, "to_json") else value
        return members


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
class AnswerRefused(Event):
    """An answer does not fit the call's schema.

    `text` is its beginning; `tries` counts the answers of the attempt.
    """

    request_id: str
    attempt: int
    tries: int
    message: str
    text: str
    tokens: int = 0


@dataclass(frozen=True)
class AgentCompleted(Event):
    """An agent answered after `seconds`.

    Attributes:
        tokens, usage, cost_usd, model, session_id: as in `AgentAnswer`.
        tries: answers that were needed.
        cached: whether the answer was there already.
        value: the answer; `MISSING` where the run's options withhold values.
    """

    request_id: str
    seconds: float
    tokens: int
    attempt: int = 1
    tries: int = 1
    usage: AgentUsage | None = None
    cost_usd: float = 0.0
    model: str | None = None
    session_id: str | None = None
    cached: bool = False
    value: Json = MISSING


@dataclass(frozen=True)
class AgentFailed(Event):
    """An attempt came to nothing after `seconds`; unless there will be another, the call is over.

    `attempt` is 0 for a call that was refused before it began. `refused_text` is the last answer that did not
    fit the call's schema, after `tries` answers.
    """

    request_id: str
    seconds: float
    message: str
    attempt: int = 1
    will_retry: bool = False
    tries: int = 0
    refused_text: str | None = None


@dataclass(frozen=True)
class AgentCancelled(Event):
    """The workflow ended before this call did. `attempt` is 0 for one that had not begun."""

    request_id: str
    attempt: int


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

EVENT_TYPES: dict[type[Event], str] = {
    RunStarted: "started",
    PhaseEntered: "phase",
    Logged: "log",
    AgentQueued: "agent_queued",
    AgentStarted: "agent_started",
    AnswerRefused: "answer_refused",
    AgentCompleted: "agent_completed",
    AgentFailed: "agent_failed",
    AgentCancelled: "agent_cancelled",
    ChildStarted: "child_started",
    ChildEnded: "child_ended",
    Sleeping: "sleep",
    FellAsleep: "asleep",
    Awoke: "awake",
    Requested: "requested",
    Gap: "gap",
    RunEnded: "ended",
}
BY_TYPE = {name: kind for kind, name in EVENT_TYPES.items()}


def of_answer(members: Mapping[str, Any], *, withhold_value: bool = False) -> dict[str, Any]:
    """Members of an `AgentCompleted`, from those that the core emits, which are JSON."""
    told = {name: value for name, value in members.items() if name != "value" or not withhold_value}
    return told | {"usage": usage_of(members.get("usage"))}


def _members(request: Any) -> dict[str, Any]:
    if isinstance(request, AgentCall):
        problem = {} if request.problem is None else {"problem": request.problem}
        return {"id": request.id, "prompt": request.prompt, "options": request.options} | problem
    named = request._asdict().items()
    return {camel_case(name): value for name, value in named if value is not MISSING}
