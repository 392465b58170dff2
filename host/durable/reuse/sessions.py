"""Sessions that the result of a child workflow may name by their handles, for a run that reuses it."""

from __future__ import annotations

from collections.abc import Sequence

from flowcage.host.durable.reuse.calls import Call
from flowcage.host.run.core.agents.terms import hands_out
from flowcage.host.run.core.inputs import NO_FACTS, Facts
from flowcage.protocol.messages import Json


def facts_of(calls: Sequence[Call]) -> Facts:
    """What is told of them beside the result.

    Args:
        calls: with their answers: those of the child workflow and of all below it, and its own, which has the
            sessions where its result was reused before.
    """
    sessions: dict[str, Json] = {}
    for call in calls:
        facts = NO_FACTS if call.answer is None else call.answer.facts
        if isinstance(before := facts.get("sessions"), dict):
            sessions |= before
        if call.request is not None and hands_out(call.request) and isinstance(facts.get("handle"), str):
            sessions[facts["handle"]] = facts.get("session_id")
    return {"sessions": sessions} if sessions else NO_FACTS
