"""The host: starts children, answers what their workflows ask, and decides how each run ended."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.agents.base import Agent, AgentAnswer, AgentCall
    from flowcage.host.api import check_workflow, run_workflow, run_workflow_blocking
    from flowcage.host.errors import (
        CannotSend,
        ChildDied,
        ChildSilent,
        FlowcageError,
        HandlerFailed,
        IsolationUnavailable,
        LaunchFailed,
        MemoryExceeded,
        OutputExceeded,
        ProtocolViolation,
        RequestRejected,
        RunError,
        RunRefused,
        RunTimedOut,
        WorkflowFailed,
        WorkflowStalled,
    )
    from flowcage.host.options import RunOptions
    from flowcage.host.outcome import Census, Outcome, PhaseUsage, Report, Usage
    from flowcage.host.verdict import Verdict
    from flowcage.protocol.limits import Limits

# Each name is imported when it is first used: the command line's own modules, and the processes that check
# schemas, would otherwise all wait for trio.
_HOMES = {
    "Agent": "flowcage.host.agents.base",
    "AgentAnswer": "flowcage.host.agents.base",
    "AgentCall": "flowcage.host.agents.base",
    "CannotSend": "flowcage.host.errors",
    "Census": "flowcage.host.outcome",
    "ChildDied": "flowcage.host.errors",
    "ChildSilent": "flowcage.host.errors",
    "FlowcageError": "flowcage.host.errors",
    "HandlerFailed": "flowcage.host.errors",
    "IsolationUnavailable": "flowcage.host.errors",
    "LaunchFailed": "flowcage.host.errors",
    "Limits": "flowcage.protocol.limits",
    "MemoryExceeded": "flowcage.host.errors",
    "Outcome": "flowcage.host.outcome",
    "OutputExceeded": "flowcage.host.errors",
    "PhaseUsage": "flowcage.host.outcome",
    "ProtocolViolation": "flowcage.host.errors",
    "Report": "flowcage.host.outcome",
    "RequestRejected": "flowcage.host.errors",
    "RunError": "flowcage.host.errors",
    "RunOptions": "flowcage.host.options",
    "RunRefused": "flowcage.host.errors",
    "RunTimedOut": "flowcage.host.errors",
    "Usage": "flowcage.host.outcome",
    "Verdict": "flowcage.host.verdict",
    "WorkflowFailed": "flowcage.host.errors",
    "WorkflowStalled": "flowcage.host.errors",
    "check_workflow": "flowcage.host.api",
    "run_workflow": "flowcage.host.api",
    "run_workflow_blocking": "flowcage.host.api",
}

__all__ = [
    "Agent",
    "AgentAnswer",
    "AgentCall",
    "CannotSend",
    "Census",
    "ChildDied",
    "ChildSilent",
    "FlowcageError",
    "HandlerFailed",
    "IsolationUnavailable",
    "LaunchFailed",
    "Limits",
    "MemoryExceeded",
    "Outcome",
    "OutputExceeded",
    "PhaseUsage",
    "ProtocolViolation",
    "Report",
    "RequestRejected",
    "RunError",
    "RunOptions",
    "RunRefused",
    "RunTimedOut",
    "Usage",
    "Verdict",
    "WorkflowFailed",
    "WorkflowStalled",
    "check_workflow",
    "run_workflow",
    "run_workflow_blocking",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
