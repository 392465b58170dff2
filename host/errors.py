"""How a run can end other than with a result. Every error says whether the child was alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.outcome import Report


class FlowcageError(Exception):
    """Base of everything that flowcage's host raises on purpose."""


class RunError(FlowcageError):
    """A run ended without a result. By the time it is raised, the child is gone and reaped.

    Attributes:
        child_alive: whether the child was still alive and answering when the error arose.
        report: what the run did until then; set before the error leaves `run_workflow`.
    """

    child_alive = False
    report: Report | None = None


class WorkflowFailed(RunError):
    """The workflow's own doing: it threw, does not compile, or ran into one of the child's limits.

    Attributes:
        kind: the wire's name for it: exception, syntax, import, missing_default, timeout, memory, stack,
            serialization or limit.
        data: the whole of the error's ``data``: name, message, stack, and line and column of a syntax error.
    """

    child_alive = True

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


class RunTimedOut(RunError):
    """The wall-clock limit of the whole run was reached; the child was killed."""

    child_alive = True

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the run took longer than its limit of {timeout_seconds:g} s")
        self.timeout_seconds = timeout_seconds


class ChildDied(RunError):
    """The child ended in the middle of the run.

    Attributes:
        signal: name of the signal that ended it, such as ``SIGKILL``, or None.
        exit_code: its exit status, or None where a signal ended it.
        stderr: the last it said, without escapes.
    """

    def __init__(self, signal: str | None, exit_code: int | None, stderr: str) -> None:
        how = "ended, nobody knows how,"
        if signal is not None:
            how = f"was killed by {signal}"
        elif exit_code is not None:
            how = f"exited with status {exit_code}"
        said = f"; it said: {stderr}" if stderr else ""
        super().__init__(f"the child {how} in the middle of the run{said}")
        self.signal = signal
        self.exit_code = exit_code
        self.stderr = stderr


class ProtocolViolation(RunError):
    """The child said something that the wire contract does not allow, and was killed."""

    child_alive = True


class IsolationUnavailable(RunError):
    """This machine lacks a layer of isolation that was asked for."""

    child_alive = True


class RunRefused(RunError):
    """The child refused a message that should have been right: one of us has a fault."""

    child_alive = True


class CannotSend(RunError):
    """The source or the args do not fit a message, or hold what JSON cannot; nothing was run."""

    child_alive = True


class LaunchFailed(RunError):
    """No child could be started."""


class HandlerFailed(RunError):
    """A handler of the host's own raised something other than `RequestRejected`; see ``__cause__``."""

    child_alive = True


class RequestRejected(FlowcageError):
    """Raised by a handler to reject one request: the workflow sees an Error with this message."""
