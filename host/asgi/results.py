"""How a run has ended, or stands, as ``flowcage run`` prints it."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.records import RunRecord
from flowcage.host.outcome.ending import failure_to_json
from flowcage.host.outcome.errors import FlowcageError, RunError
from flowcage.host.resume.sleep.outcomes import outcome_of
from flowcage.host.ui.api.listing import row


def result_of(record: RunRecord) -> dict[str, Any]:
    """A kept run: its outcome, or without one its state."""
    summary, ending = record.summary, record.ending
    if ending is None or summary.state not in ("ended", "diverged"):
        return {"runId": summary.run_id, "state": row(summary)["state"]}
    try:
        return outcome_of(record).to_json()
    except RunError as error:
        return failure_to_json(error, error.report)
    except FlowcageError:  # it was ended from outside
        return {"runId": summary.run_id, "verdict": ending.verdict, "error": ending.error}
