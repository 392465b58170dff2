"""The errors that flowcage raises, and the enumerations that they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.agents.errors import (
        AgentError as AgentError,
        AgentsUnavailable as AgentsUnavailable,
        AgentSpecError as AgentSpecError,
        OptionNotHonoured as OptionNotHonoured,
        ShareTooSmall as ShareTooSmall,
        WrongAnswer as WrongAnswer,
    )
    from flowcage.host.durable.errors import (
        AlreadyThere as AlreadyThere,
        AmbiguousRun as AmbiguousRun,
        DamagedEntry as DamagedEntry,
        DamagedStore as DamagedStore,
        Fenced as Fenced,
        RunExpired as RunExpired,
        RunHasEnded as RunHasEnded,
        RunIsOpen as RunIsOpen,
        RunIsReused as RunIsReused,
        StoreError as StoreError,
        StoreFailed as StoreFailed,
        TooLarge as TooLarge,
        UnknownRun as UnknownRun,
        Unstorable as Unstorable,
        Locked as Locked,
        WrongKeys as WrongKeys,
        WrongStore as WrongStore,
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
    from flowcage.host.outcome.verdict import Verdict as Verdict
    from flowcage.host.durable.reuse.terms import NotForkable as NotForkable
    from flowcage.host.resume.questions import (
        AnswerDoesNotFit as AnswerDoesNotFit,
        QuestionNotOpen as QuestionNotOpen,
    )
    from flowcage.host.resume.refusals import NotResumable as NotResumable
    from flowcage.host.run.past.diverged import ReplayDiverged as ReplayDiverged
    from flowcage.host.workflows.siblings import ImportRefused as ImportRefused
    from flowcage.host.workflows.source_files import SourceFileError as SourceFileError

# Public names, by the module that each is imported from.
_HOMES = {
    "flowcage.host.agents.errors": (
        "AgentError",
        "AgentsUnavailable",
        "AgentSpecError",
        "OptionNotHonoured",
        "ShareTooSmall",
        "WrongAnswer",
    ),
    "flowcage.host.durable.errors": (
        "AlreadyThere",
        "AmbiguousRun",
        "DamagedEntry",
        "DamagedStore",
        "Fenced",
        "RunExpired",
        "RunHasEnded",
        "RunIsOpen",
        "RunIsReused",
        "StoreError",
        "StoreFailed",
        "TooLarge",
        "UnknownRun",
        "Unstorable",
        "Locked",
        "WrongKeys",
        "WrongStore",
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
    "flowcage.host.outcome.verdict": ("Verdict",),
    "flowcage.host.durable.reuse.terms": ("NotForkable",),
    "flowcage.host.resume.questions": (
        "AnswerDoesNotFit",
        "QuestionNotOpen",
    ),
    "flowcage.host.resume.refusals": ("NotResumable",),
    "flowcage.host.run.past.diverged": ("ReplayDiverged",),
    "flowcage.host.workflows.siblings": ("ImportRefused",),
    "flowcage.host.workflows.source_files": ("SourceFileError",),
}

# Not for type checkers. With __getattr__ they would take any name, and an __all__ that is computed hides all.
if not TYPE_CHECKING:
    __all__ = sorted(name for names in _HOMES.values() for name in names)

    def __dir__() -> list[str]:
        return __all__

    def __getattr__(name: str) -> Any:
        from flowcage._lazy import load

        return load(__name__, _HOMES, name)
