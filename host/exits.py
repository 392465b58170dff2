"""Exit statuses, and what a person is told: one message, with the place in the author's file."""

from __future__ import annotations

from flowcage.host.errors import (
    ChildDied,
    RunError,
    RunTimedOut,
    WorkflowFailed,
    WorkflowStalled,
)
from flowcage.protocol import errors

DONE = 0
FAILED = 1
USAGE = 2
TIMEOUT = 124  # as timeout(1)
OUR_FAULT = 125
INTERRUPTED = 130  # 128 + SIGINT
KILLED = 137  # 128 + SIGKILL

_KINDS = {errors.TIMEOUT: TIMEOUT, errors.MEMORY: KILLED}
_SIGNALS = {"SIGXCPU": TIMEOUT, "SIGKILL": KILLED}


def status(error: RunError) -> int:
    """The exit status for how a run ended."""
    if isinstance(error, WorkflowFailed):
        return _KINDS.get(error.kind, FAILED)
    if isinstance(error, WorkflowStalled):
        return FAILED
    if isinstance(error, RunTimedOut):
        return TIMEOUT
    if isinstance(error, ChildDied):
        return _SIGNALS.get(error.signal or "", OUR_FAULT)
    return OUR_FAULT


def explain(error: RunError, source: str, source_name: str) -> str:
    """The error as a person reads it: the message, then the place or the stack."""
    lines = [str(error)]
    if isinstance(error, WorkflowFailed):
        lines = [f"{error} ({error.kind})"]
        place = _place(error, source, source_name)
        lines = [f"{source_name}{place[0]}: {error}", *place[1:]] if place else [*lines, *_stack(error)]
    return "\n".join(lines)


def _stack(error: WorkflowFailed) -> list[str]:
    return error.stack.split("\n") if error.stack else []


def _place(error: WorkflowFailed, source: str, source_name: str) -> list[str]:
    """``:line:column``, the line itself and a caret, for an error that has a position in this file."""
    line, column = error.data.get("line"), error.data.get("column")
    if type(line) is not int or type(column) is not int or error.data.get("sourceName") != source_name:
        return []
    lines = source.replace("\r\n", "\n").split("\n")
    if not 1 <= line <= len(lines) or not 1 <= column <= len(lines[line - 1]) + 1:
        return [f":{line}:{column}"]
    # A window around the column: generated code may have lines of a megabyte.
    start = max(0, column - 80)
    text = lines[line - 1][start : start + 160]
    shown = "".join(char if char.isprintable() else " " for char in text)
    return [f":{line}:{column}", f"  {shown}", f"  {' ' * (column - 1 - start)}^"]
