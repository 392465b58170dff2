"""A kept run without its history, for a person and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowcage.host.durable.records import RunRecord, Summary

# Of a run whose host is gone, in the place of the state that the store has.
INTERRUPTED = "interrupted"


def state_of(run: Summary) -> str:
    """Its state, as `ls --state` takes it."""
    return INTERRUPTED if run.is_abandoned else run.state


def was_interrupted(run: Summary) -> bool:
    """Whether it was stopped from outside, by a signal or with its process, and can be gone on with."""
    return run.is_abandoned or (run.state == "ended" and run.verdict == "host_shutdown")


def standing(run: Summary) -> str:
    """How it has ended, or its state."""
    if run.state == "ended":
        return run.verdict or "ended"
    return state_of(run)


def summary_json(run: Summary) -> dict[str, Any]:
    """The run as a member of `flowcage ls --json`; times in milliseconds since 1970."""
    return {
        "runId": run.run_id,
        "tenant": run.tenant,
        "state": state_of(run),
        "verdict": run.verdict,
        "sourceName": run.source_name,
        "forkedFrom": run.forked_from,
        "createdAt": run.created_at,
        "updatedAt": run.updated_at,
        "wakeAt": run.wake_at,
        "cancel": None if run.cancel is None else run.cancel._asdict(),
        "entries": run.entries,
        "bytes": run.bytes,
        "pool": run.pool,
        "priority": run.priority,
        "held": run.held,
        "takeovers": run.takeovers,
    }


def result_json(record: RunRecord) -> dict[str, Any]:
    """How a run has ended, or stands."""
    from flowcage.protocol.messages import MISSING

    summary, ending = record.summary, record.ending
    told: dict[str, Any] = {
        "runId": summary.run_id,
        "state": state_of(summary),
        "verdict": summary.verdict,
    }
    if ending is None:
        return told
    has_result = ending.result is not MISSING
    return told | ({"result": ending.result} if has_result else {"error": ending.error})
