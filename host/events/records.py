"""What can be watched of a run while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, assert_never

from flowcage.host.agents.base import AgentCall
from flowcage.host.outcome.verdict import Verdict
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import MISSING, Json, SandboxExecRequest, WorkflowRequest


@dataclass(frozen=True)
class Event:
    """Something happened in a run.

    Attributes:
        run_id: which run; a child workflow has its own.
        at: seconds since that run began, on a monotonic clock.
    """

    run_id: str
    at: float

    def to_json(self) -> dict[str, Any]:
        """One line of an events file: ``type`` first, names in camelCase."""
        # Not `asdict`: it copies logged values, and recurses into them.
        members = {camel_case(field.name): getattr(self, field.name) for field in fields(self)}
        return {"type": EVENT_TYPES[type(self)]} | members


@dataclass(frozen=True)
class RunStarted(Event):
    """The child is caged and the source compiled."""

    source_name: str
    parent_run_id: str | None = None


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
    """The workflow called ``phase(name)``."""

    name: str


@dataclass(frozen=True)
class Logged(Event):
    """The workflow called ``log(...values)``."""

    values: tuple[Json, ...]


@dataclass(frozen=True)
class AgentStarted(Event):
    """An agent was given a slot and its prompt. `attempt` counts from 1."""

    request_id: str
    prompt: str
    label: str | None = None
    phase: str | None = None
    attempt: int = 1


@dataclass(frozen=True)
class AgentCompleted(Event):
    """An agent answered after `seconds`."""

    request_id: str
    seconds: float
    tokens: int


@dataclass(frozen=True)
class AgentFailed(Event):
    """An attempt was rejected after `seconds`; unless there will be another, the workflow sees `message`.

    `attempt` is 0 for a call that was refused before it began.
    """

    request_id: str
    seconds: float
    message: str
    attempt: int = 1
    will_retry: bool = False


@dataclass(frozen=True)
class Sleeping(Event):
    """The workflow called ``sleep(ms)``."""

    request_id: str
    duration_ms: int


@dataclass(frozen=True)
class Requested(Event):
    """A live run's request waits for `LiveRun.answer` or `LiveRun.reject`; it has a slot already."""

    request: AgentCall | WorkflowRequest | SandboxExecRequest

    def to_json(self) -> dict[str, Any]:
        """The request as the wire has it; an agent's with what was wrong with its last answer, if any."""
        return super().to_json() | {"request": _request_to_json(self.request)}


@dataclass(frozen=True)
class Gap(Event):
    """`dropped` events are missing here: whoever reads them is too slow. `at` is that of the first."""

    dropped: int


@dataclass(frozen=True)
class RunEnded(Event):
    """The child is gone. `error` is None where there is a result."""

    verdict: Verdict
    error: str | None


Listener: TypeAlias = Callable[[Event], None]

EVENT_TYPES: dict[type[Event], str] = {
    RunStarted: "started",
    PhaseEntered: "phase",
    Logged: "log",
    AgentStarted: "agent_started",
    AgentCompleted: "agent_completed",
    AgentFailed: "agent_failed",
    ChildStarted: "child_started",
    ChildEnded: "child_ended",
    Sleeping: "sleep",
    Requested: "requested",
    Gap: "gap",
    RunEnded: "ended",
}


def _request_to_json(request: AgentCall | WorkflowRequest | SandboxExecRequest) -> dict[str, Any]:
    match request:
        case WorkflowRequest():
            args = {} if request.args is MISSING else {"args": request.args}
            return {"type": "workflow", "id": request.id, "ref": request.ref} | args
        case SandboxExecRequest():
            return {"type": "sandbox_exec"} | request._asdict()
        case AgentCall():
            problem = {} if request.problem is None else {"problem": request.problem}
            asked = {"id": request.id, "prompt": request.prompt, "options": request.options}
            return {"type": "agent"} | asked | problem
        case _:
            assert_never(request)
