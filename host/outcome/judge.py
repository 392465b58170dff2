"""The verdict on a run: from its error and from what the host measured.

It is asked for when the child has been reaped. The class of an error has a usual verdict; here are the
cases in which the measurements decide another one. The principle: a child's own statement counts where the
workflow could have brought about what it states, and otherwise only where a measurement agrees.
"""

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

    Args:
        error: what ended the run.
        measured: of its child; None where no child was reaped.
    """
    if isinstance(error, WorkflowFailed) and measured is not None:
        return _of_failure(error, measured)
    if isinstance(error, ChildDied) and measured is not None:
        return _of_death(measured)
    return error.verdict


def verdict_on_interruption(error: BaseException) -> Verdict:
    """The verdict on a run that its host ended: by a cancel scope, a signal, or an error of its own."""
    if isinstance(error, BaseExceptionGroup):
        # A fault comes first: a cancellation beside it is its consequence.
        verdicts = {verdict_on_interruption(each) for each in error.exceptions}
        order = (Verdict.HOST_FAULT, Verdict.HOST_SHUTDOWN, Verdict.CANCELLED)
        return next(verdict for verdict in order if verdict in verdicts)
    if isinstance(error, trio.Cancelled):
        return Verdict.HOST_SHUTDOWN if error.reason == HOST_SHUTDOWN else Verdict.CANCELLED
    return Verdict.HOST_SHUTDOWN if isinstance(error, KeyboardInterrupt) else Verdict.HOST_FAULT


async def verdict_here(error: BaseException) -> Verdict:
    """As `verdict_on_interruption`, by the cancellation that reaches whoever calls.

    Where a scope below, such as that of a run that falls asleep, was cancelled before one above, the error
    has the reason of the one below.
    """
    verdict = verdict_on_interruption(error)
    if verdict is Verdict.CANCELLED:
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled as reaching:
            return verdict_on_interruption(reaching)
    return verdict


def _of_failure(error: WorkflowFailed, measured: Measured) -> Verdict:
    if error.kind == errors.TIMEOUT:  # counts only where the kernel's count or the host's clock agrees
        if _has_used_its_cpu(measured):
            return Verdict.CPU_LIMIT
        if _has_used_its_step(measured):
            return Verdict.STEP_TIMEOUT
    # That heap or queue was full only the child can know; a child that lies could as well have filled it.
    if error.kind == errors.MEMORY:
        return Verdict.MEMORY_LIMIT
    # With a source name it is the error for a source that is too long to parse, which is not output.
    if error.kind == errors.LIMIT and "sourceName" not in error.data:
        return Verdict.OUTPUT_LIMIT
    return Verdict.FAILED


def _of_death(measured: Measured) -> Verdict:
    if measured.ended.signal == signal.SIGSYS.name:
        return Verdict.ISOLATION_VIOLATION
    if measured.ended.signal == signal.SIGXCPU.name:
        return Verdict.CPU_LIMIT
    # The kernel sends SIGKILL at RLIMIT_CPU's hard limit, if SIGXCPU at the soft one did not end the process.
    if measured.ended.signal == signal.SIGKILL.name and _has_used_its_cpu(measured):
        return Verdict.CPU_LIMIT
    return Verdict.CRASHED


def _has_used_its_cpu(measured: Measured) -> bool:
    return measured.ended.cpu_seconds >= measured.limits.cpu_seconds


def _has_used_its_step(measured: Measured) -> bool:
    allowed = measured.limits.step_timeout_ms / 1000
    return measured.step.cpu >= allowed or measured.step.wall >= STEP_WALL_FACTOR * allowed
