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
        CpuExceeded,
        FlowcageError,
        HandlerFailed,
        HostClosing,
        IsolationUnavailable,
        LaunchFailed,
        MemoryExceeded,
        OutputExceeded,
        Overloaded,
        ProtocolViolation,
        RequestNotWaiting,
        RequestRejected,
        RunCancelled,
        RunError,
        RunRefused,
        RunTimedOut,
        WorkflowFailed,
        WorkflowStalled,
        WrongEventLoop,
    )
    from flowcage.host.host import Host
    from flowcage.host.launch.spawn import Spawn
    from flowcage.host.launch.zygote import Zygote
    from flowcage.host.live import LiveRun
    from flowcage.host.memory import MemoryBudget
    from flowcage.host.options import Handlers, RunOptions
    from flowcage.host.outcome import Census, Outcome, PhaseUsage, Report, Usage
    from flowcage.host.quota import Quota
    from flowcage.host.runstatistics import RunStatistics
    from flowcage.host.sourcefile import ChildWorkflows
    from flowcage.host.stream import EventStream
    from flowcage.host.tenants import TenantLimits
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
    "ChildWorkflows": "flowcage.host.sourcefile",
    "CpuExceeded": "flowcage.host.errors",
    "EventStream": "flowcage.host.stream",
    "FlowcageError": "flowcage.host.errors",
    "HandlerFailed": "flowcage.host.errors",
    "Handlers": "flowcage.host.options",
    "Host": "flowcage.host.host",
    "HostClosing": "flowcage.host.errors",
    "IsolationUnavailable": "flowcage.host.errors",
    "LaunchFailed": "flowcage.host.errors",
    "Limits": "flowcage.protocol.limits",
    "LiveRun": "flowcage.host.live",
    "MemoryBudget": "flowcage.host.memory",
    "MemoryExceeded": "flowcage.host.errors",
    "Outcome": "flowcage.host.outcome",
    "OutputExceeded": "flowcage.host.errors",
    "Overloaded": "flowcage.host.errors",
    "PhaseUsage": "flowcage.host.outcome",
    "ProtocolViolation": "flowcage.host.errors",
    "Quota": "flowcage.host.quota",
    "Report": "flowcage.host.outcome",
    "RequestNotWaiting": "flowcage.host.errors",
    "RequestRejected": "flowcage.host.errors",
    "RunCancelled": "flowcage.host.errors",
    "RunError": "flowcage.host.errors",
    "RunOptions": "flowcage.host.options",
    "RunRefused": "flowcage.host.errors",
    "RunStatistics": "flowcage.host.runstatistics",
    "RunTimedOut": "flowcage.host.errors",
    "Spawn": "flowcage.host.launch.spawn",
    "TenantLimits": "flowcage.host.tenants",
    "Usage": "flowcage.host.outcome",
    "Verdict": "flowcage.host.verdict",
    "WorkflowFailed": "flowcage.host.errors",
    "WorkflowStalled": "flowcage.host.errors",
    "WrongEventLoop": "flowcage.host.errors",
    "Zygote": "flowcage.host.launch.zygote",
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
    "ChildWorkflows",
    "CpuExceeded",
    "EventStream",
    "FlowcageError",
    "HandlerFailed",
    "Handlers",
    "Host",
    "HostClosing",
    "IsolationUnavailable",
    "LaunchFailed",
    "Limits",
    "LiveRun",
    "MemoryBudget",
    "MemoryExceeded",
    "Outcome",
    "OutputExceeded",
    "Overloaded",
    "PhaseUsage",
    "ProtocolViolation",
    "Quota",
    "Report",
    "RequestNotWaiting",
    "RequestRejected",
    "RunCancelled",
    "RunError",
    "RunOptions",
    "RunRefused",
    "RunStatistics",
    "RunTimedOut",
    "Spawn",
    "TenantLimits",
    "Usage",
    "Verdict",
    "WorkflowFailed",
    "WorkflowStalled",
    "WrongEventLoop",
    "Zygote",
    "check_workflow",
    "run_workflow",
    "run_workflow_blocking",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
