"""The events of a run, the requests that wait in one, and a bounded buffer for events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.events.records import (
        AgentCancelled as AgentCancelled,
        AgentCompleted as AgentCompleted,
        AgentFailed as AgentFailed,
        AgentQueued as AgentQueued,
        AgentStarted as AgentStarted,
        AgentProgressed as AgentProgressed,
        AnswerRefused as AnswerRefused,
        Awoke as Awoke,
        ChildEnded as ChildEnded,
        ChildStarted as ChildStarted,
        Diagnosed as Diagnosed,
        Event as Event,
        FellAsleep as FellAsleep,
        Gap as Gap,
        Listener as Listener,
        Logged as Logged,
        PhaseEntered as PhaseEntered,
        QuestionAnswered as QuestionAnswered,
        QuestionAsked as QuestionAsked,
        Requested as Requested,
        RunEnded as RunEnded,
        RunStarted as RunStarted,
        Sleeping as Sleeping,
    )
    from flowcage.host.events.stream import EventStream as EventStream
    from flowcage.host.metrics.extras import spans as spans
    from flowcage.protocol.messages import (
        AskRequest as AskRequest,
        SandboxExecRequest as SandboxExecRequest,
        WorkflowRequest as WorkflowRequest,
    )

# Public names, by the module that each is imported from.
_HOMES = {
    "flowcage.host.events.records": (
        "AgentCancelled",
        "AgentCompleted",
        "AgentFailed",
        "AgentQueued",
        "AgentStarted",
        "AgentProgressed",
        "AnswerRefused",
        "Awoke",
        "ChildEnded",
        "ChildStarted",
        "Diagnosed",
        "Event",
        "FellAsleep",
        "Gap",
        "Listener",
        "Logged",
        "PhaseEntered",
        "QuestionAnswered",
        "QuestionAsked",
        "Requested",
        "RunEnded",
        "RunStarted",
        "Sleeping",
    ),
    "flowcage.host.events.stream": ("EventStream",),
    "flowcage.host.metrics.extras": ("spans",),
    "flowcage.protocol.messages": (
        "AskRequest",
        "SandboxExecRequest",
        "WorkflowRequest",
    ),
}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
