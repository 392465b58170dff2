"""How a run can end other than with a result. Every error says whether the child was alive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowcage.host.outcome.quota import ADVICE, Quota
from flowcage.host.outcome.verdict import Verdict

if TYPE_CHECKING:
    from flowcage.host.outcome.report import Report


class FlowcageError(Exception):
    """Base of everything that flowcage's host raises on purpose. Errors can be copied and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception's own way is to call its class with `args`, which are what `__init__` gave to its base.
        return _restored, (type(self), self.args), self.__dict__


class RunError(FlowcageError):
    """A run ended without a result. By the time it is raised, the child is gone and reaped.

    Attributes:
        child_alive: whether the child was still alive and answering when the error arose.
        verdict: how the run ended, in one word.
    """

    child_alive = False
    verdict: Verdict = Verdict.HOST_FAULT
    _report: Report | None = None

    @property
    def report(self) -> Report:
        """What the run did until then. Every error that a run raised has one.

        Raises:
            AttributeError: no run raised this error, but `check_workflow`, or whoever made it.
        """
        if self._report is None:
            raise AttributeError(f"this {type(self).__name__} has no report: no run has raised it")
        return self._report

    @report.setter
    def report(self, report: Report) -> None:
        self._report = report


class WorkflowFailed(RunError):
    """The workflow's own doing: it threw, does not compile, or ran into one of the child's limits.

    Attributes:
        kind: the wire's name for it: exception, syntax, import, missing_default, timeout, memory, stack,
            serialization or limit. The child says so; what the host makes of it is the `verdict`.
        data: the whole of the error's ``data``: name, message, stack, and line and column of a syntax error.
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
    """The workflow waits for something that nobody will ever answer."""

    child_alive = True
    verdict = Verdict.STALLED


class RunTimedOut(RunError):
    """The wall-clock limit of the whole run was reached; the child was killed."""

    child_alive = True
    verdict = Verdict.WALL_TIMEOUT

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the run took longer than its limit of {timeout_seconds:g} s")
        self.timeout_seconds = timeout_seconds


class ChildSilent(RunError):
    """The child did not answer in time and was killed: it hung where the engine never looks at the clock, or
    it was stopped.
    """

    child_alive = True
    verdict = Verdict.STEP_TIMEOUT


class MemoryExceeded(RunError):
    """The child's resident memory, as the host measured it, passed its limit; it was killed."""

    child_alive = True
    verdict = Verdict.MEMORY_LIMIT


class CpuExceeded(RunError):
    """The run and its child workflows together used all the CPU that the run may use; they were killed."""

    child_alive = True
    verdict = Verdict.CPU_LIMIT


class OutputExceeded(RunError):
    """The run and its child workflows said more than a run may say in all; they were killed."""

    child_alive = True
    verdict = Verdict.OUTPUT_LIMIT


class ChildDied(RunError):
    """The child ended in the middle of the run.

    Attributes:
        signal: name of the signal that ended it, such as ``SIGKILL``, or None.
        exit_code: its exit status, or None where a signal ended it.
        stderr: the last it said, without escapes.
    """

    verdict = Verdict.CRASHED

    def __init__(self, signal: str | None, exit_code: int | None, stderr: str) -> None:
        how = "ended, nobody knows how,"
        hint = ", for a system call that the cage forbids," if signal == "SIGSYS" else ""
        if signal is not None:
            how = f"was killed by {signal}"
        elif exit_code is not None:
            how = f"exited with status {exit_code}"
        said = f"; it said: {stderr}" if stderr else ""
        super().__init__(f"the child {how}{hint} in the middle of the run{said}")
        self.signal = signal
        self.exit_code = exit_code
        self.stderr = stderr


class ProtocolViolation(RunError):
    """The child said something that the wire contract does not allow, and was killed."""

    child_alive = True
    verdict = Verdict.PROTOCOL_VIOLATION


class IsolationUnavailable(RunError):
    """This machine lacks a layer of isolation that was asked for."""

    child_alive = True
    verdict = Verdict.NOT_STARTED


class RunRefused(RunError):
    """The child refused the first message, before it saw any source: host and child do not fit together.

    Attributes:
        kind: the wire's name for the reason; empty where it was the host that would not go on.
        data: the whole of the error's ``data``.
    """

    child_alive = True
    verdict = Verdict.NOT_STARTED

    def __init__(self, message: str, kind: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.data: Mapping[str, Any] = {} if data is None else data


class CannotSend(RunError):
    """The source or the args do not fit a message; nothing was run."""

    child_alive = True
    verdict = Verdict.NOT_STARTED


class LaunchFailed(RunError):
    """No child could be started, or what the launcher started is not the child itself."""

    verdict = Verdict.NOT_STARTED


class HandlerFailed(RunError):
    """A handler of the host's own raised something other than `RequestRejected`; see ``__cause__``."""

    child_alive = True


class RequestRejected(FlowcageError):
    """Raised by a handler to reject one request: the workflow sees an Error with this message."""


class RequestNotWaiting(FlowcageError):
    """An answer was given to a request that waits for none; nothing happened.

    Attributes:
        request_id: as it was given.
    """

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"no request {request_id[:40]!r} waits for an answer: it was settled, timed out or was never made"
        )
        self.request_id = request_id


class RunCancelled(FlowcageError):
    """The block of a live run was left before the run had ended; the child is gone and reaped."""

    def __init__(self) -> None:
        super().__init__("the run was cancelled: the block that it was opened for was left")


class Overloaded(FlowcageError):
    """A run was refused before anything was started for it: a quota is used up.

    Attributes:
        tenant: whose run it was.
        quota: what there is too much of.
        retry_after_seconds: finite. Exact for rates; for queues and memory an estimate, from how long runs
            took of late.
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
    """The host's block was left, or not entered yet: it starts no runs, and those that waited are refused."""

    def __init__(self) -> None:
        super().__init__("the host is closing, or its block was never entered, and it starts no runs")


class WrongEventLoop(FlowcageError, RuntimeError):
    """A call was made outside of the event loop that it needs, or inside one that it would hold up."""


def _restored(kind: type[FlowcageError], args: tuple[Any, ...]) -> FlowcageError:
    """An error as it was, without `__init__`, which takes other arguments and makes the message of them."""
    return kind.__new__(kind, *args)
