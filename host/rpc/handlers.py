"""What a client's answers are for a run: values, costs, and errors by kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import (
    AgentError,
    AgentsUnavailable,
    OptionNotHonoured,
    ShareTooSmall,
    WrongAnswer,
)
from flowcage.host.agents.form import json_in
from flowcage.host.agents.people import Question
from flowcage.host.outcome.errors import FlowcageError, RequestRejected, RunError
from flowcage.host.rpc.asks import Asks, Unsendable
from flowcage.host.run.options import Caller, KeptChild
from flowcage.host.workflows.child_workflows import as_rejection
from flowcage.protocol.messages import Json, Missing, SandboxExecRequest, WorkflowRequest
from flowcage.schemas.validate import host_error


class ClientFault(FlowcageError):
    """A handler of the client's is broken, which ends the run."""


async def ask_agent(asks: Asks, call: AgentCall, run_id: str) -> AgentAnswer:
    """Have the client answer a call.

    Raises:
        ClientGone: it does not any more.
        AgentError: as the client says.
        ClientFault: what it says is no answer.
    """
    result = await _asked(asks, "agent.ask", _call_params(call, run_id), call)
    spent = _spent(result)
    if "value" in result:
        value = result["value"]
    elif "text" in result:
        value = _read(result["text"], call, spent)
    else:
        raise ClientFault("the client's answer to agent.ask has neither value nor text")
    session, worktree = result.get("sessionId"), result.get("worktree")
    return AgentAnswer(value, session_id=session, worktree=worktree, **spent)


async def ask_workflow(asks: Asks, caller: Caller, request: WorkflowRequest, run_id: str) -> Json:
    """Have the client name a child workflow, and run it. Raises as `ask_agent`, and `RequestRejected`."""
    params: dict[str, Any] = {
        "rootRunId": run_id,
        "runId": caller.id,
        "requestId": request.id,
        "ref": request.ref,
        "sourceName": caller.source_name,
        "depth": caller.depth,
    }
    passed = {} if isinstance(request.args, Missing) else {"args": request.args}
    result = await _asked(asks, "workflow.get", params | passed)
    if "source" not in result:
        if "value" in result:
            return result["value"]
        raise ClientFault("the client's answer to workflow.get has neither source nor value")
    args = result.get("args", passed.get("args", {}))
    named, modules = result.get("sourceName", "workflow.js"), result.get("modules", {})
    return await run_child(caller, request, KeptChild(result["source"], named, args, modules))


async def run_child(caller: Caller, request: WorkflowRequest, child: KeptChild) -> Json:
    """Run a child workflow. Raises `RequestRejected`."""
    try:
        return await caller.run_child(*child)
    except RunError as error:
        raise as_rejection(request, error) from error


async def ask_sandbox(asks: Asks, request: SandboxExecRequest, run_id: str) -> Json:
    """Have the client run a program, or refuse to. Raises as `ask_workflow`."""
    program = {"requestId": request.id, "profile": request.profile, "program": request.request}
    return (await _asked(asks, "sandbox.exec", {"rootRunId": run_id, **program}))["value"]


async def ask_person(asks: Asks, question: Question, run_id: str, why: Callable[[], str]) -> Json:
    """Have the client ask a person. Raises as `ask_workflow`.

    Args:
        asks: of the client.
        question: of the workflow.
        run_id: of the run.
        why: says why the answer is waited for no longer.
    """
    params = {
        "rootRunId": run_id,
        "questionId": question.id,
        "question": question.question,
        "label": question.label,
        "schema": question.schema,
        "options": [{"label": each.label, "value": each.value} for each in question.options],
        "problem": question.problem,
    }
    return (await _asked(asks, "question.ask", params, why=why))["value"]


def progress_of(params: dict[str, Any]) -> Progress:
    """What `agent.progress` tells."""
    usage, cost = _usage(params.get("usage")), params.get("costUsd")
    return Progress(params.get("text"), usage, cost, params.get("model"), params.get("sessionId"))


async def _asked(
    asks: Asks, method: str, params: dict[str, Any], call: AgentCall | None = None, **more: Any
) -> dict[str, Any]:
    try:
        answer = await asks.ask(method, params, call, **more)
    except Unsendable as error:
        raise RequestRejected(str(error)) from None
    if ("result" in answer) == ("error" in answer):
        raise ClientFault(f"the client's answer to {method} has both a result and an error")
    if "error" in answer:
        raise _error_of(answer["error"], is_agent=call is not None)
    _require(f"{method}.result", f"answer to {method}", answer["result"])
    result: dict[str, Any] = answer["result"]
    return result


def _require(schema: str, what: str, value: object) -> None:
    violation = host_error(schema, value)
    if violation is not None:
        where = f"{violation.path}: " if violation.path else "it "
        raise ClientFault(f"the client's {what} is wrong: {where}{violation.message}")


def _error_of(error: Any, *, is_agent: bool) -> Exception:
    try:
        _require("client.error", "error", error)
    except ClientFault as fault:
        return fault
    message, data = error["message"], error.get("data") or {}
    kind = data.get("kind")
    if kind == "fault":
        return ClientFault(message)
    if not is_agent:
        return RequestRejected(message)
    spent = _spent(data)
    if kind == "wrong_answer":
        return WrongAnswer(message, data.get("text"), **spent)
    if kind == "share_too_small":
        needs = {"needs_usd": data.get("needsUsd"), "needs_tokens": data.get("needsTokens")}
        return ShareTooSmall(message, **needs, **spent)
    return _AGENT_ERRORS.get(kind, AgentError)(message, **spent)


_AGENT_ERRORS: dict[Any, type[AgentError]] = {
    "option_not_honoured": OptionNotHonoured,
    "unavailable": AgentsUnavailable,
}


def _spent(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "tokens": told.get("tokens") or 0,
        "usage": _usage(told.get("usage")),
        "cost_usd": told.get("costUsd"),
        "model": told.get("model"),
        "provider": told.get("provider"),
    }


def _usage(told: dict[str, Any] | None) -> AgentUsage | None:
    if told is None:
        return None
    names = ("input", "output", "cacheRead", "cacheWrite")
    return AgentUsage(*(told.get(name, 0) for name in names))


def _read(text: str, call: AgentCall, spent: dict[str, Any]) -> Json:
    if call.schema is None:
        return text
    try:
        return json_in(text, call.schema)
    except ValueError as error:
        raise WrongAnswer(str(error), text, **spent) from None


def _call_params(call: AgentCall, run_id: str) -> dict[str, Any]:
    left = None if call.deadline == math.inf else max(0.0, call.deadline - trio.current_time())
    return {
        "rootRunId": run_id,
        "runId": call.run_id,
        "requestId": call.id,
        "tenant": call.tenant,
        "prompt": call.prompt,
        "options": dict(call.options),
        "label": call.label,
        "phase": call.phase,
        "model": call.model,
        "schema": call.schema,
        "attempt": call.attempt,
        "problem": call.problem,
        "refused": call.refused,
        "idempotencyKey": call.idempotency_key,
        "key": call.key,
        "deadlineSeconds": left,
        "interrupted": call.interrupted,
        "handle": call.handle,
        "session": call.session,
        "costLeftUsd": call.cost_left,
        "tokensLeft": call.tokens_left,
        "isHeld": call.is_held,
    }
