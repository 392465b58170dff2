"""One word for how a run ended: the only table of verdicts.

`judge` decides which one it is. From the rows here follow the exit status of ``flowcage run``, the HTTP
status that a service may answer with, and the table in docs/security.md (``make generated``).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self

# `trio.Cancelled.reason` of runs that end because the host closes or its process is told to end.
HOST_SHUTDOWN = "host shutdown"


class Exit(IntEnum):
    """Exit statuses of ``flowcage run`` for a run that has ended."""

    DONE = 0
    FAILED = 1
    TRY_LATER = 75  # EX_TEMPFAIL, sysexits.h
    TIMEOUT = 124  # as timeout(1)
    OUR_FAULT = 125
    INTERRUPTED = 130  # 128 + SIGINT
    KILLED = 137  # 128 + SIGKILL


# HTTP statuses. What the workflow caused is 422, also timeouts and crashes of the engine: the same request
# would end the same way, and clients and proxies retry a 5xx.
_OK = 200
_OF_WORKFLOW = 422
_OF_HOST = 500
_LATER = 503


class Verdict(StrEnum):
    """Every run ends in exactly one of these.

    Attributes:
        exit_status: of ``flowcage run``; None where the signal that ended the command decides it.
        http_status: what a service may answer with.
        decided_by: what leads to this verdict, in Markdown, for docs/security.md.
        otherwise: further exit statuses, for the same table.
    """

    exit_status: int | None
    http_status: int
    decided_by: str
    otherwise: str

    def __new__(
        cls,
        word: str,
        exit_status: int | None = None,  # defaults: type checkers would refuse Verdict("failed")
        http_status: int = _OF_WORKFLOW,
        decided_by: str = "",
        otherwise: str = "",
    ) -> Self:
        verdict = str.__new__(cls, word)
        verdict._value_ = word
        verdict.exit_status, verdict.http_status = exit_status, http_status
        verdict.decided_by, verdict.otherwise = decided_by, otherwise
        return verdict

    COMPLETED = (
        "completed",
        Exit.DONE,
        _OK,
        "a result on the wire",
        "1 where agent calls failed, by `--fail-on`",
    )
    FAILED = (
        "failed",
        Exit.FAILED,
        _OF_WORKFLOW,
        "the child reports that the workflow threw, does not compile, or has a result that is not JSON",
    )
    STEP_TIMEOUT = (
        "step_timeout",
        Exit.TIMEOUT,
        _OF_WORKFLOW,
        "a step, compiling included, used `stepTimeoutMs` of the child's CPU by the kernel's count, or ten "
        "times as much passed on the host's clock; a child that does not report it has "
        "`answerGraceSeconds` more",
    )
    CPU_LIMIT = (
        "cpu_limit",
        Exit.TIMEOUT,
        _OF_WORKFLOW,
        "SIGXCPU, or `cpuSeconds` used by the kernel's count, by the run with all of its child workflows",
    )
    WALL_TIMEOUT = "wall_timeout", Exit.TIMEOUT, _OF_WORKFLOW, "`timeoutSeconds` passed"
    EXPIRED = (
        "expired",
        Exit.TIMEOUT,
        _OF_WORKFLOW,
        "a run of a store was to be woken, or gone on with, more than `expiresSeconds` after it was begun",
    )
    MEMORY_LIMIT = (
        "memory_limit",
        Exit.KILLED,
        _OF_WORKFLOW,
        "resident memory as measured, or the engine's limit as the child reports",
    )
    OUTPUT_LIMIT = (
        "output_limit",
        Exit.FAILED,
        _OF_WORKFLOW,
        "`maxReceivedBytes` passed by the run with all of its child workflows, or a limit on queued "
        "output as the child reports",
    )
    AGENT_LIMIT = (
        "agent_limit",
        Exit.FAILED,
        _OF_WORKFLOW,
        "the workflow went on calling `agent()` after `maxTotalAgents` was reached: as many refusals as that "
        "limit, and 100 at least",
    )
    BUDGET_EXHAUSTED = (
        "budget_exhausted",
        Exit.FAILED,
        _OF_WORKFLOW,
        "the workflow went on calling `agent()` after its budget was spent: as many refusals as "
        "`maxTotalAgents`, and 100 at least",
    )
    COST_EXHAUSTED = (
        "cost_exhausted",
        Exit.FAILED,
        _OF_WORKFLOW,
        "the workflow went on calling `agent()` after its cost ceiling was reached, or could not be held "
        "because a cost is not known: as many refusals as `maxTotalAgents`, and 100 at least",
    )
    AGENTS_UNAVAILABLE = (
        "agents_unavailable",
        Exit.TRY_LATER,
        _LATER,
        "an agent told that its account has no credit, no quota, or is not known (`AgentsUnavailable`)",
    )
    STALLED = (
        "stalled",
        Exit.FAILED,
        _OF_WORKFLOW,
        "the child reports that nothing can settle the workflow's promise, and no request is outstanding",
    )
    PROTOCOL_VIOLATION = (
        "protocol_violation",
        Exit.OUR_FAULT,
        _OF_WORKFLOW,
        "a line that the contract does not allow, a reply that "
        "[cannot be true](protocol.md#what-cannot-be-true), or a cage that the kernel does not confirm",
    )
    ISOLATION_VIOLATION = (
        "isolation_violation",
        Exit.KILLED,
        _OF_WORKFLOW,
        "SIGSYS: a system call that the filter kills for",
    )
    CRASHED = (
        "crashed",
        Exit.OUR_FAULT,
        _OF_WORKFLOW,
        "another signal, or an exit before the end: a bug in the engine, or code that exploited one",
        "137 for SIGKILL",
    )
    CANCELLED = (
        "cancelled",
        Exit.INTERRUPTED,
        _LATER,
        "a cancel scope of the host's program, or somebody who asked for the run to end",
    )
    HOST_SHUTDOWN = "host_shutdown", None, _LATER, "a signal to the host", "129, 130, 143"
    NOT_STARTED = (
        "not_started",
        Exit.OUR_FAULT,
        _LATER,
        "no child, no cage, a wrapper in place of the child, a child that refuses the first message, or "
        "nothing that could be sent to it",
        "2 for what cannot be sent",
    )
    QUARANTINED = (
        "quarantined",
        Exit.OUR_FAULT,
        _OF_HOST,
        "three workers died, one after the other, while they had the run of a store, and nothing of it was "
        "written in between",
    )
    HOST_FAULT = "host_fault", Exit.OUR_FAULT, _OF_HOST, "a handler or a listener of the host's program"
    DIVERGED = (
        "diverged",
        Exit.OUR_FAULT,
        _OF_HOST,
        "a kept run that was to be [gone on with](durable.md#when-a-run-diverges): told the same, its "
        "workflow asked for something else",
    )


# Ends that are not the workflow's own doing, so a run may be gone on with from before them.
RESUMABLE = frozenset(
    {
        Verdict.CANCELLED,
        Verdict.HOST_SHUTDOWN,
        Verdict.WALL_TIMEOUT,
        Verdict.CRASHED,
        Verdict.NOT_STARTED,
        Verdict.HOST_FAULT,
        Verdict.AGENTS_UNAVAILABLE,
        Verdict.QUARANTINED,
    }
)
