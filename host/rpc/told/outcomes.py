"""How a run ended, as the protocol has it: what ``flowcage run`` prints, and whether the child was alive."""

from __future__ import annotations

from typing import Any

from flowcage.host.events.records import RunEnded
from flowcage.host.outcome.ending import failure_to_json
from flowcage.host.outcome.errors import HostClosing, RunCancelled, RunError
from flowcage.host.outcome.report import Outcome, Report
from flowcage.host.outcome.verdict import Verdict

CANCELLED = "the run was cancelled"


def completed(outcome: Outcome) -> dict[str, Any]:
    """A run with a result."""
    return outcome.to_json()


def failed(run_id: str, error: Exception, ended: RunEnded | None, reason: str | None) -> dict[str, Any]:
    """A run without one.

    Args:
        run_id: of the run.
        error: that the host raised for it.
        ended: its last event, where there was one.
        reason: why it was cancelled; None where it was not.
    """
    if isinstance(error, RunError):
        told = failure_to_json(error, getattr(error, "report", None) or Report(run_id, error.verdict))
        told["error"]["childAlive"] = error.child_alive
        return told
    if isinstance(error, RunCancelled | HostClosing):
        verdict = Verdict.HOST_SHUTDOWN if isinstance(error, HostClosing) else Verdict.CANCELLED
        return interrupted(run_id, verdict, f"{CANCELLED}: {reason}" if reason else str(error), ended)
    return interrupted(run_id, Verdict.NOT_STARTED, str(error), ended)


def interrupted(run_id: str, verdict: str, message: str, ended: RunEnded | None) -> dict[str, Any]:
    """A run of which no error has a report."""
    told: dict[str, Any] = {"runId": run_id, "verdict": str(verdict)}
    told["error"] = {"kind": str(verdict), "message": message, "childAlive": ended is not None}
    if ended is not None:
        told |= {"usage": ended.usage.to_json(), "census": ended.census.to_json()}
    return told
