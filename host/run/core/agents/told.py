"""What is told of agent calls: the members of their events, and the diagnostic of one that has failed."""

from __future__ import annotations

from typing import Any

from flowcage.host.run.core.inputs import Answered, Facts, Reason, Refused, Reused, Spent, sum_of
from flowcage.host.run.core.tree import Call
from flowcage.protocol.messages import Json

# Names of what whoever answered may have told beside the answer; a store may hold any.
_FACTS = frozenset({"usage", "model", "session_id", "cached", "worktree"})
_FACTS_OF_FAILURE = frozenset({"usage", "model"})


def of_answer(call: Call, answer: Answered) -> dict[str, Any]:
    """Members of an ``agent_completed``."""
    spent = whole(call, answer.spent)
    return {
        "attempt": call.attempt,
        "tries": call.tries,
        "value": answer.value,
        "seconds": spent.seconds,
        "tokens": spent.tokens,
        "cost_usd": spent.cost_usd,
    } | _known(answer.facts, _FACTS)


def of_reused(reused: Reused) -> dict[str, Any]:
    """Members of an ``agent_completed`` with an answer that another run has had."""
    return {
        "attempt": 0,
        "tries": 0,
        "value": reused.value,
        "seconds": 0.0,
        "tokens": reused.spent.tokens,
        "cost_usd": reused.spent.cost_usd,
        "cached": True,
        "from_run_id": reused.run,
        "from_request_id": reused.request,
        **_known(reused.facts, _FACTS),
    }


def of_refused_answer(call: Call, refusal: Refused) -> dict[str, Any]:
    """Members of an ``answer_refused``."""
    return {
        "attempt": call.attempt,
        "tries": call.tries,
        "message": refusal.message,
        "text": call.refused_text,
        **_cost(call, refusal),
    }


def of_failure(call: Call, message: str, given: Refused | None) -> dict[str, Any]:
    """Members of an ``agent_failed``.

    Args:
        call: that has failed.
        message: why.
        given: what came back from the agent; None where nothing did. What a wrong answer cost is told by its
            own ``answer_refused``.
    """
    told = {
        "attempt": call.attempt,
        "tries": call.tries,
        "message": message,
        "seconds": 0.0 if given is None else _seconds(call, given),
        "refused_text": call.refused_text,
    }
    return told if given is None or given.reason is Reason.WRONG_ANSWER else told | _cost(call, given)


def diagnostic(call: Call, message: str, *, becomes_null: bool) -> dict[str, Json]:
    """The one that tells of a call without an answer."""
    name = f"agent {call.request.id}" + (f" ({call.label})" if call.label else "")
    told = f"{name} failed and became null: {message}" if becomes_null else f"{name} failed: {message}"
    note: dict[str, Json] = {"kind": "agent_failed", "message": told, "id": call.request.id}
    if call.label is not None:
        note["label"] = call.label
    if call.refused_text is not None:
        note |= {"tries": call.tries, "refusedText": call.refused_text}
    return note


def add_untold(call: Call, spent: Spent) -> None:
    """Keep for the end of a call what was spent that no other event tells of."""
    call.charged = sum_of(call.charged, spent)


def _cost(call: Call, given: Refused) -> dict[str, Any]:
    spent = whole(call, given.spent)
    costs = {"tokens": spent.tokens, "cost_usd": spent.cost_usd}
    return costs | _known(given.facts if call.heard is None else call.heard.facts, _FACTS_OF_FAILURE)


def _seconds(call: Call, given: Refused) -> float:
    """At work; a timeout tells that of the whole attempt."""
    is_of_attempt = given.reason is Reason.TIMEOUT
    return (given.spent if is_of_attempt else whole(call, given.spent)).seconds


def whole(call: Call, spent: Spent) -> Spent:
    """What a try cost, with what was counted when its answer was heard."""
    return spent if call.heard is None else sum_of(call.heard.spent, spent)


def _known(facts: Facts, names: frozenset[str]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name in names} if facts else {}
