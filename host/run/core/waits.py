"""Requests that take no place at work: a sleep, which a time ends, and a question, which a person answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flowcage.host.run.core.commands import Ask
from flowcage.host.run.core.inputs import Answered, Charged, Due, Heard, Input, Refused, Told
from flowcage.host.run.core.tree import Call, Stage, Tree
from flowcage.protocol.messages import MISSING, AskRequest, Json, Ok, OkUndefined, Rejected, SleepRequest

# What a request takes, by what it waits for.
TAKES: Mapping[Stage, tuple[type, ...]] = MappingProxyType(
    {
        "queued": (),
        "asked": (Answered, Refused, Heard, Charged, Told),
        "waiting": (Due,),
        "person": (Answered, Refused),
        "known": (),
    }
)


def sleep(tree: Tree, call: Call, request: SleepRequest) -> None:
    """Begin a sleep."""
    tree.emit(call.path, "sleep", request_id=request.id, duration_ms=request.duration_ms)
    tree.wait(call, request.duration_ms / 1000)


def ask(tree: Tree, call: Call, request: AskRequest) -> None:
    """Put a question. It waits for an answer from a handler, or from outside, whichever comes first."""
    assert call.kind is not None
    call.stage, call.attempt, call.tries = "person", 1, 1
    tree.emit(call.path, "question_asked", **told_of(call.id, request))
    timeout = call.terms.timeout_ms
    tree.commands.append(Ask(call.id, call.path, call.kind, request, 1, 1, timeout, call.phase, None))


def told_of(identifier: str, request: AskRequest) -> dict[str, Any]:
    """The members of the event that tells of a question."""
    return {
        "request_id": request.id,
        "question_id": identifier,
        "question": request.question,
        "label": None if request.label is MISSING else request.label,
        "schema": request.schema,
        "options": request.choices,
    }


def settle(tree: Tree, call: Call, given: Input) -> None:
    """Settle a request of any kind but an agent's."""
    match given:
        case Due():
            tree.settle(call, OkUndefined())
        case Answered(_, value):
            _tell_of_answer(tree, call, value=value)
            tree.settle(call, Ok(value, tree.budget))
        case Refused(_, message):
            _tell_of_answer(tree, call, message=message)
            tree.settle(call, Rejected(message))


def _tell_of_answer(tree: Tree, call: Call, **told: Json) -> None:
    if call.stage == "person":
        ids: dict[str, Json] = {"request_id": call.request.id, "question_id": call.id}
        tree.emit(call.path, "question_answered", **ids, **told)
