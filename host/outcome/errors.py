"""The errors of the host: how a run can end other than with a result, and what can be refused before one.

The class gives the usual verdict. `judge` may decide on another, from what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowcage.host.outcome.quota import ADVICE, Quota
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.terminal.text import cut

if TYPE_CHECKING:
    from flowcage.host.outcome.report import Report


class FlowcageError(Exception):
    """Base of everything that flowcage's host raises on purpose. Errors can be copied and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is restored by calling its class with `args`, the message; `__init__` takes
        # others.
        return _restored, (type(self), self.args), self.__dict__


class RunError(FlowcageError):
    """A run ended without a result. By the time it is raised, the child is gone and reaped.

    Attributes:
        child_alive: whether the child was still alive when the error arose.
        ends_run: whether it is no failure of the workflow's that it is raised in, but ends the whole run.
        verdict: how the run ended, in one word.
    """

    child_alive = False
    ends_run = False
    verdict: Verdict = Verdict.HOST_FAULT
    _report: Report | None = None

    @property
    def report(self) -> Report:
        """What the run did until then. Every error that a run has raised has one.

        Raises:
            AttributeError: the error comes from `check_workflow`, or was not raised by flowcage.
        """
        if self._report is None:
            raise AttributeError(f"this {type(self).__name__} has no report: no run has raised it")
        return self._report

    @report.setter
    def report(self, report: Report) -> None:
        self._report = report


class WorkflowFailed(RunError):
    """The workflow threw, does not compile, or reached one of the child's limits.

    Attributes:
        kind: the wire's name: exception, syntax, import, missing_default, timeout, memory, stack,
            serialization or limit. It is the child's statement; `verdict` is what the host decided.
        data: the error's ``data``: name, message, stack, and line and column of a syntax error.
    """

    child_alive = True
    verdict = Verdict.FAILED

    def __init__(self, kind: str, message: str, data: dict[str, Any]) -> None:
        super().__init__(message)
        self.kind = kind
        self.data = data

    @property
    def place(self) -> str:
        """``file:line:column`` of a syntax error; empty for other errors."""
        line, column = self.data.get("line"), self.data.get("column")
        if type(line) is not int or type(column) is not int:
            return ""
        return f"{self.data.get('sourceName')}:{line}:{column}"

    @property
    def stack(self) -> str:
        """JavaScript frames in the author's file, one a line; empty where there are none."""
        stack = self.data.get("stack")
        return stack if isinstance(stack, str) else ""


class WorkflowStalled(RunError):
    """The workflow can never finish: its promise is pending, and no outstanding request could settle it."""

    child_alive = True
    verdict = Verdict.STALLED


class RunTimedOut(RunError):
    """The wall-clock limit of the whole run was reached; the child was killed."""

    child_alive = True
    verdict = Verdict.WALL_TIMEOUT

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the run took longer than {timeout_seconds:g} s, the limit timeoutSeconds")
        self.timeout_seconds = timeout_seconds


class ChildSilent(RunError):
    """The child did not answer in time and was killed.

    It was in a native function of the engine that does not check the clock, or it was stopped.
    """

    child_alive = True
    verdict = Verdict.STEP_TIMEOUT


class MemoryExceeded(RunError):
    """The child's resident memory, as the host measured it, exceeded its limit; it was killed."""

    child_alive = True
    verdict = Verdict.MEMORY_LIMIT


class CpuExceeded(RunError):
    """The run and its child workflows together used up the limit cpuSeconds; they were killed."""

    child_alive = True
    verdict = Verdict.CPU_LIMIT


class OutputExceeded(RunError):
    """The run and its child workflows together sent more than maxReceivedBytes; they were killed."""

    child_alive = True
    verdict = Verdict.OUTPUT_LIMIT


class ChildDied(RunError):
    """The child ended before the run did.

    Both `signal` and `exit_code` are None where other code of the program, or the kernel, reaped the child.

    Attributes:
        signal: name of the signal that ended it, such as ``SIGKILL``, or None.
        exit_code: its exit status, or None where a signal ended it.
        stderr: the end of its stderr, without escapes.
    """

    verdict = Verdict.CRASHED

    def __init__(
        self, signal: str | None, exit_code: int | None, stderr: str, when: str = "during the run"
    ) -> None:
        how = "ended in an unknown way (its exit status was lost)"
        hint = " for a system call that the cage forbids" if signal == "SIGSYS" else ""
        if signal is not None:
            how = f"was killed by {signal}"
        elif exit_code is not None:
            how = f"exited with status {exit_code}"
        said = f"; its stderr: {stderr}" if stderr else ""
        super().__init__(f"the child {how}{hint} {when}{said}")
        self.signal = signal
        self.exit_code = exit_code
        self.stderr = stderr


class ProtocolViolation(RunError):
    """The child sent something that the wire contract does not allow, and was killed."""

    child_alive = True
    verdict = Verdict.PROTOCOL_VIOLATION


class IsolationUnavailable(RunError):
    """This machine lacks a layer of isolation that was asked for."""

    child_alive = True
    verdict = Verdict.NOT_STARTED


class RunRefused(RunError):
    """Host and child do not fit together; nothing was run.

    The child refused `initialize` or does not know `check`, or it does not know a limit that was set.

    Attributes:
        kind: the wire's name for the child's reason; empty where the host refused.
        data: the error's ``data``.
    """

    child_alive = True
    verdict = Verdict.NOT_STARTED

    def __init__(self, message: str, kind: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.data: Mapping[str, Any] = {} if data is None else data


class CannotSend(RunError):
    """The source or the args cannot be sent: too long, too deep, or not JSON. Nothing was run."""

    child_alive = True
    verdict = Verdict.NOT_STARTED


class LaunchFailed(RunError):
    """No child could be started, or what the launcher started is not the child itself."""

    verdict = Verdict.NOT_STARTED


class HandlerFailed(RunError):
    """A handler or listener of the host's program raised an error, which is the ``__cause__``.

    A handler that raises `RequestRejected` rejects its request instead.
    """

    child_alive = True


class RequestRejected(FlowcageError):
    """Raised by a handler to reject one request: the workflow sees an Error with this message."""


class RequestNotWaiting(FlowcageError):
    """An answer was given to a request that does not wait for one; it had no effect.

    Attributes:
        request_id: as it was given.
    """

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"no request {cut(request_id, 40)!r} waits for an answer: it was settled, has timed out, or was "
            "never made"
        )
        self.request_id = request_id


class RunCancelled(FlowcageError):
    """The block of a live run was left before the run had ended, or whoever began a run that others joined
    was cancelled; the child is gone and reaped.
    """

    def __init__(self, why: str = "the block that it was opened for was left") -> None:
        super().__init__(f"the run was cancelled: {why}")


class Overloaded(FlowcageError):
    """A run was refused before anything was started for it: a quota is used up.

    Attributes:
        tenant: whose run was refused.
        quota: which one is used up.
        retry_after_seconds: finite. Exact for rates; for queues and memory an estimate from the durations of
            recent runs.
    """

    def __init__(self, tenant: str, quota: Quota, why: str, retry_after_seconds: float) -> None:
        super().__init__(
            f"no run for tenant {tenant!r}: {why} ({quota}); "
            f"try again in {retry_after_seconds:.3g} s; {ADVICE[quota]}"
        )
        self.tenant = tenant
        self.quota = quota
        self.retry_after_seconds = retry_after_seconds


class HostClosing(FlowcageError):
    """The host's ``async with`` block was left, or was not entered yet."""

    def __init__(self) -> None:
        super().__init__(
            "the host's block is being left, or was never entered; runs belong inside `async with Host(...)`"
        )


class WrongEventLoop(FlowcageError, RuntimeError):
    """A call was made outside of the event loop that it needs, or inside one that it would block."""


def _restored(kind: type[FlowcageError], args: tuple[Any, ...]) -> FlowcageError:
    """An unpickled error, made without `__init__`, whose arguments are not `args`."""
    return kind.__new__(kind, *args)
