"""The host: starts children, answers what their workflows ask, and decides how each run ended."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.agents.base import Agent, AgentAnswer, AgentCall
    from flowcage.host.events.stream import EventStream
    from flowcage.host.outcome.errors import (
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
    from flowcage.host.outcome.quota import Quota
    from flowcage.host.outcome.report import Census, Outcome, PhaseUsage, Report, Usage
    from flowcage.host.outcome.verdict import Verdict
    from flowcage.host.process.launch.spawn import Spawn
    from flowcage.host.process.launch.zygote import Zygote
    from flowcage.host.run.api import check_workflow, run_workflow, run_workflow_blocking
    from flowcage.host.run.live import LiveRun
    from flowcage.host.run.options import Handlers, RunOptions
    from flowcage.host.run.statistics import RunStatistics
    from flowcage.host.tenants.host import Host
    from flowcage.host.tenants.memory_budget import MemoryBudget
    from flowcage.host.tenants.tenant import TenantLimits
    from flowcage.host.workflows.child_workflows import ChildWorkflows
    from flowcage.protocol.limits import Limits

# Each name is imported when it is first used: the command line's own modules, and the processes that check
# schemas, would otherwise all wait for trio.
_HOMES = {
    "Agent": "flowcage.host.agents.base",
    "AgentAnswer": "flowcage.host.agents.base",
    "AgentCall": "flowcage.host.agents.base",
    "CannotSend": "flowcage.host.outcome.errors",
    "Census": "flowcage.host.outcome.report",
    "ChildDied": "flowcage.host.outcome.errors",
    "ChildSilent": "flowcage.host.outcome.errors",
    "ChildWorkflows": "flowcage.host.workflows.child_workflows",
    "CpuExceeded": "flowcage.host.outcome.errors",
    "EventStream": "flowcage.host.events.stream",
    "FlowcageError": "flowcage.host.outcome.errors",
    "HandlerFailed": "flowcage.host.outcome.errors",
    "Handlers": "flowcage.host.run.options",
    "Host": "flowcage.host.tenants.host",
    "HostClosing": "flowcage.host.outcome.errors",
    "IsolationUnavailable": "flowcage.host.outcome.errors",
    "LaunchFailed": "flowcage.host.outcome.errors",
    "Limits": "flowcage.protocol.limits",
    "LiveRun": "flowcage.host.run.live",
    "MemoryBudget": "flowcage.host.tenants.memory_budget",
    "MemoryExceeded": "flowcage.host.outcome.errors",
    "Outcome": "flowcage.host.outcome.report",
    "OutputExceeded": "flowcage.host.outcome.errors",
    "Overloaded": "flowcage.host.outcome.errors",
    "PhaseUsage": "flowcage.host.outcome.report",
    "ProtocolViolation": "flowcage.host.outcome.errors",
    "Quota": "flowcage.host.outcome.quota",
    "Report": "flowcage.host.outcome.report",
    "RequestNotWaiting": "flowcage.host.outcome.errors",
    "RequestRejected": "flowcage.host.outcome.errors",
    "RunCancelled": "flowcage.host.outcome.errors",
    "RunError": "flowcage.host.outcome.errors",
    "RunOptions": "flowcage.host.run.options",
    "RunRefused": "flowcage.host.outcome.errors",
    "RunStatistics": "flowcage.host.run.statistics",
    "RunTimedOut": "flowcage.host.outcome.errors",
    "Spawn": "flowcage.host.process.launch.spawn",
    "TenantLimits": "flowcage.host.tenants.tenant",
    "Usage": "flowcage.host.outcome.report",
    "Verdict": "flowcage.host.outcome.verdict",
    "WorkflowFailed": "flowcage.host.outcome.errors",
    "WorkflowStalled": "flowcage.host.outcome.errors",
    "WrongEventLoop": "flowcage.host.outcome.errors",
    "Zygote": "flowcage.host.process.launch.zygote",
    "check_workflow": "flowcage.host.run.api",
    "run_workflow": "flowcage.host.run.api",
    "run_workflow_blocking": "flowcage.host.run.api",
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
