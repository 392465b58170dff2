"""Hosts that make something else of a client's answers, or ask for them otherwise."""

from __future__ import annotations

from .relay import (
    Broken,
    Message,
    State,
    asked,
    drops,
    error_heard,
    event,
    heard,
    kind_heard,
    outcome,
    params,
    result_heard,
    verdict,
    without,
)

EVERY_HANDLER = ["agent", "workflow", "sandboxExec", "ask"]


def _takes_for_next(value: str) -> Broken:
    """An answer that is to be dropped is taken for that to the next request."""

    def hears(state: State, message: Message) -> Message | None:
        if message.get("result", {}).get("value") != value:
            return message
        state.kept.append(message)
        return None

    def says(state: State, message: Message) -> Message | None:
        if message.get("method") != "agent.ask" or not state.kept:
            return message
        state.to_host({**state.kept.pop(), "id": message["id"]})
        return message

    return Broken(hears=hears, says=says)


def _as_value(result: Message) -> None:
    if "text" in result:
        result["value"] = {"n": "of text"}
        del result["text"]


def _says_otherwise(result: Message) -> None:
    if result.get("value") == 42:
        result.clear()
        result["source"] = "export default 0;"


OF_ANSWERS: dict[str, Broken] = {
    "service-agents/asks": asked("agent.ask", label=None),
    "service-agents/asks: no schema": asked("agent.ask", schema=None),
    "service-agents/value": result_heard(lambda result: result.update(value=result["value"].strip("\0"))),
    "service-agents/text": result_heard(_as_value),
    "service-agents/text-with-schema": result_heard(_as_value),
    "service-agents/wrong-answer": asked("agent.ask", 2, problem=None),
    "service-agents/wrong-answer: not told": asked("agent.ask", 2, refused=None),
    "service-agents/wrong-answer: an attempt": asked("agent.ask", 2, attempt=2),
    "service-agents/wrong-twice": verdict("failed", "completed"),
    "service-agents/told-as-wrong": kind_heard("wrong_answer", "failed"),
    "service-agents/failed": kind_heard("rejected", "fault"),
    "service-agents/error-without-kind": kind_heard("from-the-future", "fault"),
    "service-agents/retried": asked("agent.ask", attempt=1),
    "service-agents/retried: the same key": asked("agent.ask", idempotencyKey="r/1/1"),
    "service-agents/option-not-honoured": kind_heard("option_not_honoured", "failed"),
    "service-agents/unavailable": kind_heard("unavailable", "failed"),
    "service-agents/fault": kind_heard("fault", "failed"),
    "service-agents/misfit": result_heard(lambda result: result or result.update(value="")),
    "service-agents/no-answer": heard(lambda message: message.pop("error", None)),
    "service-agents/attempt-timeout": asked("request.cancelled", reason="ended"),
    "service-agents/attempt-timeout: not told": asked("agent.ask", deadlineSeconds=None),
    "service-agents/run-bounds-attempts": without("options", "agentTimeoutSeconds"),
    "service-agents/late-answer": _takes_for_next("late"),
    "service-agents/second-answer": _takes_for_next("b"),
    "service-agents/any-order": drops(
        lambda message: message.get("params", {}).get("prompt") == "c" and "id" in message
    ),
    "service-agents/at-once": without("options", "maxAgents"),
    "service-agents/in-total": without("options", "maxTotalAgents"),
    "service-agents/spent": outcome(lambda told: told["usage"].update(costUsd=None)),
    "service-agents/spent-in-vain": error_heard(lambda error: error["data"].pop("costUsd")),
    "service-agents/budget": without("options", "budgetTokens"),
    "service-agents/ceiling": without("options", "maxCostUsd"),
    "service-agents/progress": drops(event("agent_progress")),
    "service-agents/progress: of nobody": params("agent.progress", lambda told: told.update(id=1)),
    "service-agents/not-handled": params("initialize", lambda told: told.update(handlers=EVERY_HANDLER)),
    "service-requests/child-workflow": asked("workflow.get", depth=1),
    "service-requests/child-workflow: no args": asked("workflow.get", args={}),
    "service-requests/in-place-of-a-child": result_heard(_says_otherwise),
    "service-requests/sandbox-exec": asked("sandbox.exec", profile="other"),
    "service-requests/question": asked("question.ask", question="?"),
    "service-requests/wrong-answer": asked("question.ask", 2, problem=None),
    "service-requests/refused": error_heard(lambda error: error.update(message="no")),
    "service-requests/fault": kind_heard("fault", "failed"),
    "service-requests/not-handled": params("initialize", lambda told: told.update(handlers=EVERY_HANDLER)),
    "service-requests/cancelled": drops(lambda message: message.get("method") == "request.cancelled", 4),
    "service-requests/cancelled: another reason": asked("request.cancelled", reason="settled"),
}
