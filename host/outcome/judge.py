"""From an error and what the host measured to the verdict."""

from __future__ import annotations

import signal

import trio

from flowcage.host.outcome.errors import ChildDied, RunError, WorkflowFailed
from flowcage.host.outcome.measured import Measured
from flowcage.host.outcome.verdict import HOST_SHUTDOWN, Verdict
from flowcage.protocol import errors
from flowcage.protocol.limits import STEP_WALL_FACTOR


def verdict_on(error: RunError, measured: Measured | None) -> Verdict:
    """The verdict on a run that has no result.

    A timeout that a child tells of counts only where the kernel's count of its CPU or the host's clock
    agrees. That its memory or its queue was full only the child can know; one that lies could as well have
    filled them.
    """
    if isinstance(error, WorkflowFailed) and measured is not None:
        return _of_failure(error, measured)
    if isinstance(error, ChildDied) and measured is not None:
        return _of_death(measured)
    return error.verdict


def verdict_on_interruption(error: BaseException) -> Verdict:
    """The verdict on a run that its host broke off: by a cancel scope, a signal, or a fault of its own."""
    if isinstance(error, BaseExceptionGroup):
        verdicts = {verdict_on_interruption(each) for each in error.exceptions}
        order = (Verdict.HOST_FAULT, Verdict.HOST_SHUTDOWN, Verdict.CANCELLED)
        return next(verdict for verdict in order if verdict in verdicts)
    if isinstance(error, trio.Cancelled):
        return Verdict.HOST_SHUTDOWN if error.reason == HOST_SHUTDOWN else Verdict.CANCELLED
    return Verdict.HOST_SHUTDOWN if isinstance(error, KeyboardInterrupt) else Verdict.HOST_FAULT


def _of_failure(error: WorkflowFailed, measured: Measured) -> Verdict:
    if error.kind == errors.TIMEOUT:
        if _has_used_its_cpu(measured):
            return Verdict.CPU_LIMIT
        if _has_used_its_step(measured):
            return Verdict.STEP_TIMEOUT
    if error.kind == errors.MEMORY:
        return Verdict.MEMORY_LIMIT
    # A source that is too long for the grammar is none of the workflow's output.
    if error.kind == errors.LIMIT and "sourceName" not in error.data:
        return Verdict.OUTPUT_LIMIT
    return Verdict.FAILED


def _of_death(measured: Measured) -> Verdict:
    if measured.ended.signal == signal.SIGSYS.name:
        return Verdict.ISOLATION_VIOLATION
    if measured.ended.signal == signal.SIGXCPU.name:
        return Verdict.CPU_LIMIT
    # RLIMIT_CPU's hard limit, where the soft one's signal found nobody
    if measured.ended.signal == signal.SIGKILL.name and _has_used_its_cpu(measured):
        return Verdict.CPU_LIMIT
    return Verdict.CRASHED


def _has_used_its_cpu(measured: Measured) -> bool:
    return measured.ended.cpu_seconds >= measured.limits.cpu_seconds


def _has_used_its_step(measured: Measured) -> bool:
    allowed = measured.limits.step_timeout_ms / 1000
    return measured.step.cpu >= allowed or measured.step.wall >= STEP_WALL_FACTOR * allowed
