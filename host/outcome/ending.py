"""How a run ended, as one JSON object: what ``flowcage run`` prints, whatever became of the run."""

from __future__ import annotations

import re
from typing import Any

from flowcage.host.outcome.errors import RunError, WorkflowFailed
from flowcage.host.outcome.report import Report
from flowcage.host.outcome.verdict import Verdict

# The last part of a frame: ``at f (file.js:3:14)`` or ``at file.js:3:14``.
_PLACE = re.compile(r"(?:\((.+:\d+:\d+)\)|at (.+:\d+:\d+))$")


def failure_to_json(error: RunError, report: Report) -> dict[str, Any]:
    """A run without a result.

    Args:
        error: why there is none; its verdict is the run's.
        report: of the run, also where it was not the run that raised the error.
    """
    return report.to_json(verdict=error.verdict, error=explain(error))


def interruption_to_json(verdict: Verdict, message: str, report: Report) -> dict[str, Any]:
    """A run that was broken off by whoever started it."""
    return report.to_json(verdict=verdict, error={"kind": verdict, "message": message})


def explain(error: RunError) -> dict[str, str]:
    """What went wrong: ``kind`` and ``message``, and ``stack`` and ``place`` where there are any.

    The kind is the wire's where the workflow failed, and otherwise the verdict. The place is that of a syntax
    error, or of the innermost frame of the stack, as ``file:line:column``.
    """
    if not isinstance(error, WorkflowFailed):
        return {"kind": error.verdict, "message": str(error)}
    found = {"stack": error.stack, "place": error.place or _innermost(error.stack)}
    told = {"kind": error.kind, "message": str(error)}
    return told | {name: text for name, text in found.items() if text}


def _innermost(stack: str) -> str:
    frame = _PLACE.search(stack.lstrip("\n").partition("\n")[0])
    return frame[1] or frame[2] if frame else ""
