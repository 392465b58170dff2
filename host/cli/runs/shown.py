"""What ``flowcage show`` tells of a run: its calls, as a fold of its history."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.records import RunRecord
from flowcage.host.resume.fold import past_of
from flowcage.host.run.core.inputs import Answered, Refused, Said, Spent
from flowcage.protocol.messages import AgentRequest, Missing, Request


def shown(record: RunRecord) -> dict[str, Any]:
    """Calls with how each stands, what they cost, and how the run ended."""
    calls: dict[str, dict[str, Any]] = {}
    for entry in record.entries:
        given = entry.input
        if isinstance(given, Said):
            for request in given.requests:
                path = f"{given.path}/" if given.path else ""
                calls[f"{path}{request.id}"] = _call(f"{path}{request.id}", request)
        elif isinstance(given, Answered | Refused) and given.id in calls:
            _answer(calls[given.id], given)
    tree = past_of(record, 0.0).core.tree
    waiting = {each.id for workflow in tree.workflows.values() for each in workflow.calls.values()}
    for identifier, call in calls.items():
        if identifier in waiting:
            call["outcome"] = "open"
    totals, ending = tree.totals, record.ending
    return {
        "usage": {"agents": totals.started, "tokens": totals.tokens, "costUsd": totals.cost_usd},
        "error": None if ending is None else ending.error,
        "calls": list(calls.values()),
    }


def _call(identifier: str, request: Request) -> dict[str, Any]:
    call: dict[str, Any] = {"id": identifier, "kind": type(request).__name__.removesuffix("Request").lower()}
    if isinstance(request, AgentRequest):
        options = {} if isinstance(request.options, Missing) else request.options
        call |= {"label": options.get("label"), "phase": options.get("phase"), "prompt": request.prompt}
    return call | {"outcome": "settled", "attempts": 0, "tokens": 0, "seconds": 0.0}


def _answer(call: dict[str, Any], given: Answered | Refused) -> None:
    spent: Spent = given.spent
    call["outcome"] = "answered" if isinstance(given, Answered) else "failed"
    call["attempts"] += 1
    call["tokens"] += spent.tokens
    call["seconds"] = round(call["seconds"] + spent.seconds, 6)


def shown_as_text(found: dict[str, Any]) -> str:
    """The same for a person."""
    usage = found["usage"]
    lines = [
        f"run      {found['runId']}",
        f"workflow {found['sourceName']}",
        f"state    {found['verdict'] or found['state']}",
        f"agents   {usage['agents']}, {usage['tokens']} tokens",
    ]
    if found["error"]:
        lines.append(f"error    {found['error'].get('message')}")
    for call in found["calls"]:
        name = str(call.get("label") or call.get("prompt") or "").split("\n", 1)[0][:60]
        lines.append(f"  {call['id']:>6} {call['kind']:<9} {call['outcome']:<9} {call['tokens']:>7} {name}")
    return "\n".join(lines)
