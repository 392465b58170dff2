"""Runs untrusted JavaScript workflow modules, each in its own caged child process.

The public names are those of this module and of `flowcage.asyncio`, `flowcage.events`, `flowcage.agents` and
`flowcage.errors`;
everything else may move without notice. Each name is imported when it is first used, because every
``python -m flowcage.…`` imports this module first, and a child must not spend 0.1 s on importing trio.

The table below and the imports for type checkers say the same;
``tests/flowcage/test_public_names.py`` compares them with each other and with ``docs/python.md``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # what type checkers take for True, without importing typing

if sys.platform == "win32":
    raise ImportError(
        "flowcage runs on Linux and macOS only: Windows lacks the system calls for the cage; use WSL"
    )

if TYPE_CHECKING:
    from flowcage.host.agents.agent import Agent as Agent
    from flowcage.host.agents.answer import AgentAnswer as AgentAnswer, AgentUsage as AgentUsage
    from flowcage.host.agents.call import AgentCall as AgentCall
    from flowcage.host.agents.people import Option as Option, Question as Question
    from flowcage.host.durable.errors import (
        Fenced as Fenced,
        RunExpired as RunExpired,
        StoreError as StoreError,
        StoreFailed as StoreFailed,
        UnknownRun as UnknownRun,
    )
    from flowcage.host.durable.history.forms import withhold_prompts as withhold_prompts
    from flowcage.host.durable.postgres.store import PostgresStore as PostgresStore
    from flowcage.host.durable.options import StoreOptions as StoreOptions
    from flowcage.host.durable.records import RunRecord as RunRecord
    from flowcage.host.durable.sqlite.store import SqliteStore as SqliteStore
    from flowcage.host.durable.store import Store as Store
    from flowcage.host.events.stream import EventStream as EventStream
    from flowcage.host.metrics.extras import (
        opentelemetry_metrics as opentelemetry_metrics,
        prometheus_collector as prometheus_collector,
        prometheus_text as prometheus_text,
    )
    from flowcage.host.outcome.cancel import CancelRequested as CancelRequested
    from flowcage.host.outcome.errors import (
        CannotSend as CannotSend,
        ChildDied as ChildDied,
        ChildSilent as ChildSilent,
        CpuExceeded as CpuExceeded,
        FlowcageError as FlowcageError,
        HandlerFailed as HandlerFailed,
        HostClosing as HostClosing,
        IsolationUnavailable as IsolationUnavailable,
        LaunchFailed as LaunchFailed,
        MemoryExceeded as MemoryExceeded,
        OutputExceeded as OutputExceeded,
        Overloaded as Overloaded,
        ProtocolViolation as ProtocolViolation,
        RequestNotWaiting as RequestNotWaiting,
        RequestRejected as RequestRejected,
        RunCancelled as RunCancelled,
        RunError as RunError,
        RunRefused as RunRefused,
        RunTimedOut as RunTimedOut,
        WorkflowFailed as WorkflowFailed,
        WorkflowStalled as WorkflowStalled,
        WrongEventLoop as WrongEventLoop,
    )
    from flowcage.host.outcome.of_agents import (
        AgentLimitReached as AgentLimitReached,
        BudgetExhausted as BudgetExhausted,
        CostExhausted as CostExhausted,
        RunHalted as RunHalted,
    )
    from flowcage.host.outcome.quota import Quota as Quota
    from flowcage.host.outcome.report import (
        Census as Census,
        Outcome as Outcome,
        Report as Report,
    )
    from flowcage.host.outcome.usage import (
        ModelUsage as ModelUsage,
        PhaseUsage as PhaseUsage,
        Usage as Usage,
    )
    from flowcage.host.outcome.verdict import Verdict as Verdict
    from flowcage.host.process.launch.spawn import Spawn as Spawn
    from flowcage.host.process.launch.zygote import Zygote as Zygote
    from flowcage.host.resume.api import (
        run_workflow as run_workflow,
        run_workflow_blocking as run_workflow_blocking,
    )
    from flowcage.host.durable.reuse.terms import NotForkable as NotForkable
    from flowcage.host.resume.questions import (
        AnswerDoesNotFit as AnswerDoesNotFit,
        QuestionNotOpen as QuestionNotOpen,
    )
    from flowcage.host.resume.refusals import NotResumable as NotResumable
    from flowcage.host.resume.replay import (
        Divergence as Divergence,
        ReplayReport as ReplayReport,
        WorkflowReplay as WorkflowReplay,
        replay as replay,
    )
    from flowcage.host.resume.looking.calls import (
        CallAttempt as CallAttempt,
        RunCall as RunCall,
        RefusedAnswer as RefusedAnswer,
    )
    from flowcage.host.resume.looking.details import (
        RunDetails as RunDetails,
        RunSummary as RunSummary,
    )
    from flowcage.host.run.api import check_workflow as check_workflow
    from flowcage.host.run.past.hibernation import Hibernation as Hibernation
    from flowcage.host.run.live import LiveRun as LiveRun
    from flowcage.host.run.options import (
        Caller as Caller,
        Handlers as Handlers,
        RunOptions as RunOptions,
    )
    from flowcage.host.run.past.diverged import ReplayDiverged as ReplayDiverged
    from flowcage.host.run.reporting import RunStatistics as RunStatistics
    from flowcage.host.tenants.started.handle import RunHandle as RunHandle
    from flowcage.host.tenants.host import Host as Host
    from flowcage.host.tenants.memory_budget import MemoryBudget as MemoryBudget
    from flowcage.host.tenants.tenant import TenantLimits as TenantLimits
    from flowcage.host.tenants.working.submitting import submit_workflow as submit_workflow
    from flowcage.host.tenants.working.worker import Worker as Worker
    from flowcage.host.workflows.child_workflows import ChildWorkflows as ChildWorkflows
    from flowcage.host.workflows.siblings import sibling_modules as sibling_modules
    from flowcage.protocol.limits import Limits as Limits
    from flowcage.protocol.messages import (
        SandboxExecRequest as SandboxExecRequest,
        WorkflowRequest as WorkflowRequest,
    )

    __version__: str

# Public names, by the module that each is imported from.
_HOMES = {
    "flowcage.host.agents.agent": ("Agent",),
    "flowcage.host.agents.answer": ("AgentAnswer", "AgentUsage"),
    "flowcage.host.agents.call": ("AgentCall",),
    "flowcage.host.agents.people": ("Option", "Question"),
    "flowcage.host.durable.errors": (
        "Fenced",
        "RunExpired",
        "StoreError",
        "StoreFailed",
        "UnknownRun",
    ),
    "flowcage.host.durable.history.forms": ("withhold_prompts",),
    "flowcage.host.durable.postgres.store": ("PostgresStore",),
    "flowcage.host.durable.options": ("StoreOptions",),
    "flowcage.host.durable.records": ("RunRecord",),
    "flowcage.host.durable.sqlite.store": ("SqliteStore",),
    "flowcage.host.durable.store": ("Store",),
    "flowcage.host.events.stream": ("EventStream",),
    "flowcage.host.metrics.extras": (
        "opentelemetry_metrics",
        "prometheus_collector",
        "prometheus_text",
    ),
    "flowcage.host.outcome.cancel": ("CancelRequested",),
    "flowcage.host.outcome.errors": (
        "CannotSend",
        "ChildDied",
        "ChildSilent",
        "CpuExceeded",
        "FlowcageError",
        "HandlerFailed",
        "HostClosing",
        "IsolationUnavailable",
        "LaunchFailed",
        "MemoryExceeded",
        "OutputExceeded",
        "Overloaded",
        "ProtocolViolation",
        "RequestNotWaiting",
        "RequestRejected",
        "RunCancelled",
        "RunError",
        "RunRefused",
        "RunTimedOut",
        "WorkflowFailed",
        "WorkflowStalled",
        "WrongEventLoop",
    ),
    "flowcage.host.outcome.of_agents": (
        "AgentLimitReached",
        "BudgetExhausted",
        "CostExhausted",
        "RunHalted",
    ),
    "flowcage.host.outcome.quota": ("Quota",),
    "flowcage.host.outcome.report": (
        "Census",
        "Outcome",
        "Report",
    ),
    "flowcage.host.outcome.usage": (
        "ModelUsage",
        "PhaseUsage",
        "Usage",
    ),
    "flowcage.host.outcome.verdict": ("Verdict",),
    "flowcage.host.process.launch.spawn": ("Spawn",),
    "flowcage.host.process.launch.zygote": ("Zygote",),
    "flowcage.host.resume.api": (
        "run_workflow",
        "run_workflow_blocking",
    ),
    "flowcage.host.durable.reuse.terms": ("NotForkable",),
    "flowcage.host.resume.questions": (
        "AnswerDoesNotFit",
        "QuestionNotOpen",
    ),
    "flowcage.host.resume.refusals": ("NotResumable",),
    "flowcage.host.resume.replay": (
        "Divergence",
        "ReplayReport",
        "WorkflowReplay",
        "replay",
    ),
    "flowcage.host.resume.looking.calls": (
        "CallAttempt",
        "RunCall",
        "RefusedAnswer",
    ),
    "flowcage.host.resume.looking.details": (
        "RunDetails",
        "RunSummary",
    ),
    "flowcage.host.run.api": ("check_workflow",),
    "flowcage.host.run.past.hibernation": ("Hibernation",),
    "flowcage.host.run.live": ("LiveRun",),
    "flowcage.host.run.options": (
        "Caller",
        "Handlers",
        "RunOptions",
    ),
    "flowcage.host.run.past.diverged": ("ReplayDiverged",),
    "flowcage.host.run.reporting": ("RunStatistics",),
    "flowcage.host.tenants.started.handle": ("RunHandle",),
    "flowcage.host.tenants.host": ("Host",),
    "flowcage.host.tenants.memory_budget": ("MemoryBudget",),
    "flowcage.host.tenants.tenant": ("TenantLimits",),
    "flowcage.host.tenants.working.submitting": ("submit_workflow",),
    "flowcage.host.tenants.working.worker": ("Worker",),
    "flowcage.host.workflows.child_workflows": ("ChildWorkflows",),
    "flowcage.host.workflows.siblings": ("sibling_modules",),
    "flowcage.protocol.limits": ("Limits",),
    "flowcage.protocol.messages": (
        "SandboxExecRequest",
        "WorkflowRequest",
    ),
}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return [*__all__, "__version__"]

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from flowcage.protocol.version import PACKAGE_VERSION

            return PACKAGE_VERSION
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
