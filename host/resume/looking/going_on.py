"""What becomes of the calls of a kept run that is gone on with itself."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.looking.calls import RunCall
from flowcage.host.resume.looking.story import story_of

_CALLS = 2_000
_OF_OPEN = {
    "agent": "it was at work when the run ended, and is asked again",
    "ask": "it waits for a person",
    "sleep": "it sleeps on",
    "workflow": "it goes on",
    "sandbox_exec": "it was at work when the run ended, and is carried out again",
}


def explain(record: RunRecord) -> dict[str, Any]:
    """What becomes of each call where a run goes on itself; the members are those of a fork's explanation."""
    calls = list(story_of(record).calls.values())
    told = [_explained(each) for each in calls]
    agents = [call for call in calls if call.kind == "agent" and call.state == "answered"]
    return {
        "runId": record.summary.run_id,
        "reused": len(agents),
        "answers": len(agents),
        "tokens": sum(each.tokens for each in agents),
        "isComplete": False,
        "error": None,
        "calls": sorted(told, key=lambda each: each["reused"] is not None)[:_CALLS],
    }


def _explained(call: RunCall) -> dict[str, Any]:
    why = _why(call)
    return {
        "id": call.id,
        "kind": call.kind,
        "label": call.label,
        "phase": call.phase,
        "reused": call.id if why is None else None,
        "why": why,
        "tokens": call.tokens,
    }


def _why(call: RunCall) -> str | None:
    """Why it runs; None where what it was told stands in the history."""
    if call.state == "queued":
        return "it had not begun"
    return _OF_OPEN.get(call.kind, "it is asked again") if call.state == "open" else None
