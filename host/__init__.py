"""The host: starts children, answers what their workflows ask, and decides how each run ended."""

from flowcage.host.agents.base import Agent, AgentAnswer, AgentCall
from flowcage.host.api import check_workflow, run_workflow, run_workflow_blocking
from flowcage.host.errors import (
    ChildDied,
    FlowcageError,
    HandlerFailed,
    IsolationUnavailable,
    LaunchFailed,
    ProtocolViolation,
    RequestRejected,
    RunError,
    RunRefused,
    RunTimedOut,
    WorkflowFailed,
    WorkflowStalled,
)
from flowcage.host.options import RunOptions
from flowcage.host.outcome import Outcome, Report, Usage
from flowcage.protocol.limits import Limits

__all__ = [
    "Agent",
    "AgentAnswer",
    "AgentCall",
    "ChildDied",
    "FlowcageError",
    "HandlerFailed",
    "IsolationUnavailable",
    "LaunchFailed",
    "Limits",
    "Outcome",
    "ProtocolViolation",
    "Report",
    "RequestRejected",
    "RunError",
    "RunOptions",
    "RunRefused",
    "RunTimedOut",
    "Usage",
    "WorkflowFailed",
    "WorkflowStalled",
    "check_workflow",
    "run_workflow",
    "run_workflow_blocking",
]
