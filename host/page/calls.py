"""One call of a run as a member of the page document."""

from __future__ import annotations

from typing import Any

from flowcage.host.durable.history.forms import Withheld
from flowcage.host.page.cutting import Cutter
from flowcage.host.resume.looking.calls import CallAttempt, RunCall, costs_to_json
from flowcage.host.run.core.agents.spending import Costs
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, AgentRequest, Json, Request, UnknownRequest, WorkflowRequest

_ERROR = 4_000  # characters
_REFUSED = 20  # of one attempt


def call_json(
    call: RunCall, costs: Costs, place: tuple[int | None, int | None] | None, cutter: Cutter
) -> dict[str, Any]:
    """A call.

    Args:
        call: that is told of.
        costs: of it by now.
        place: line and column of it, where they are known.
        cutter: for its texts.
    """
    began = call.attempts[0].began if call.attempts else None
    line, column = place or (None, None)
    told: dict[str, Any] = {
        "id": call.id,
        "path": call.path,
        "kind": call.kind,
        "label": cutter.name("label", call.label),
        "phase": cutter.name("phase", call.phase),
        "model": cutter.name("model", call.model or asked_model(call)),
        "prompt": cutter.text("prompt", subject(call)),
        "options": cutter.value("options", options_of(call.request)),
        "state": call.state,
        "asked": _rounded(call.asked),
        "began": _rounded(began),
        "ended": _rounded(call.ended),
        "attempts": [_attempt(each, cutter) for each in call.attempts],
        "error": None if call.error is None else cutter.part(call.error, _ERROR),
        **costs_to_json(costs),
        "seconds": round(call.seconds, 6),
        "sessionId": cutter.name("sessionId", call.session_id),
        "worktree": None if call.worktree is None else dict(call.worktree),
        "reused": call.reused,
        "reusedFrom": None if call.reused_from is None else list(call.reused_from),
        "line": line,
        "column": column,
    }
    if call.value is not MISSING:
        told["value"] = cutter.value("value", call.value)
    if withheld := _withheld(call.request):
        told["withheld"] = withheld
    return cutter.finish(told)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def subject(call: RunCall) -> str:
    """What was asked, as a text: a prompt, a question, the name of a workflow."""
    if isinstance(call.request, WorkflowRequest):
        ref = call.request.ref
        return ref if isinstance(ref, str) else strictjson.dumps(ref)
    return str(call.prompt)  # not a `Withheld`


def asked_model(call: RunCall) -> str | None:
    """The model that a call asks for by name."""
    options = call.request.options if isinstance(call.request, AgentRequest) else None
    model = options.get("model") if isinstance(options, dict) else None
    return model if isinstance(model, str) else None


def options_of(request: Request) -> dict[str, Json]:
    """What was asked beside the prompt."""
    if isinstance(request, AgentRequest):
        return request.options if isinstance(request.options, dict) else {}
    if isinstance(request, UnknownRequest):
        return {}
    members = request._asdict().items()
    return {_NAMES.get(name, name): value for name, value in members if _is_told(name, value)}


_NAMES = {"duration_ms": "durationMs"}


def _is_told(name: str, value: Any) -> bool:
    return name not in ("id", "question", "ref") and value is not MISSING and not _is_withheld(value)


def _is_withheld(value: Any) -> bool:
    return isinstance(value.get("command") if isinstance(value, dict) else value, Withheld)


def _attempt(attempt: CallAttempt, cutter: Cutter) -> dict[str, Any]:
    refused = attempt.refused[-_REFUSED:]
    return {
        "number": attempt.number,
        "began": _rounded(attempt.began),
        "ended": _rounded(attempt.ended),
        "lives": attempt.lives,
        "error": None if attempt.error is None else cutter.part(attempt.error, _ERROR),
        "refused": [
            {"text": cutter.text("refused", each.text or ""), "problem": cutter.part(each.problem, _ERROR)}
            for each in refused
        ],
        **costs_to_json(attempt.costs),
    }


def _withheld(request: Request) -> list[str]:
    return [name for name, value in request._asdict().items() if _is_withheld(value)]
