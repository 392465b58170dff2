"""Answers the requests of one case by its rules, and counts what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from flowcage.agents import (
    AgentAnswer,
    AgentCall,
    AgentError,
    AgentsUnavailable,
    AgentUsage,
    OptionNotHonoured,
    Progress,
    ShareTooSmall,
    WrongAnswer,
)
from flowcage.host import Caller, Question, RequestRejected, RunError, SandboxExecRequest, WorkflowRequest
from flowcage.protocol.messages import Missing

from .cases_read import Case, Rule, rule_for

_ERRORS: dict[str, type[AgentError]] = {
    "failed": AgentError,
    "unavailable": AgentsUnavailable,
    "option_not_honoured": OptionNotHonoured,
    "wrong_answer": WrongAnswer,
    "share_too_small": ShareTooSmall,
}
# Beside the message of an error.
_MORE = {"needsUsd": "needs_usd", "needsTokens": "needs_tokens"}


class Player:
    """The handlers of a case.

    Attributes:
        asked, problem, cancelled, most_at_work: as the members of ``expect``.
    """

    def __init__(self, case: Case, cancel: Callable[[], Awaitable[None]]) -> None:
        self._case = case
        self._cancel = cancel
        self._at_work = 0
        self._came = trio.Condition()
        self.asked: list[str] = []
        self.problem = ""
        self.cancelled = 0
        self.most_at_work = 0

    def handlers(self) -> dict[str, Any]:
        """By the names of `RunOptions`."""
        own = {"workflow": self._workflow, "sandboxExec": self._exec, "ask": self._ask, "agent": self._agent}
        names = {"sandboxExec": "sandbox_exec"}
        return {names.get(kind, kind): own[kind] for kind in own if kind in self._case}

    async def _agent(self, call: AgentCall) -> AgentAnswer:
        again = call.problem is not None
        self.asked.append(f"{call.prompt} #{call.attempt}{' again' if again else ''}")
        self.problem = call.problem or self.problem
        asked = {"prompt": call.prompt, "attempt": call.attempt, "again": again, "held": call.is_held}
        rule = rule_for(self._case["agent"], **asked)
        for told in rule.get("progress", ()):
            call.tell(Progress(**_spent(told), text=told.get("text")))
        async with self._at_it(rule):
            if "fails" in rule:
                raise _error(rule)
            return AgentAnswer(rule.get("value"), **_spent(rule))

    async def _workflow(self, caller: Caller, request: WorkflowRequest) -> Any:
        ref = request.ref if isinstance(request.ref, str) else str(request.ref["scriptPath"])
        rule = rule_for(self._case["workflow"], ref=ref)
        async with self._at_it(rule):
            source = "\n".join(rule["source"])
            args = {} if isinstance(request.args, Missing) else request.args
            try:
                return await caller.run_child(
                    source, rule.get("sourceName", ref), args, rule.get("modules", {})
                )
            except RunError as error:
                raise RequestRejected(f"workflow {ref!r} failed: {error}") from error

    async def _exec(self, request: SandboxExecRequest) -> Any:
        rule = rule_for(self._case["sandboxExec"], profile=request.profile)
        async with self._at_it(rule):
            return rule.get("value")

    async def _ask(self, question: Question) -> Any:
        rule = rule_for(self._case["ask"], question=question.question)
        async with self._at_it(rule):
            return rule.get("value")

    @asynccontextmanager
    async def _at_it(self, rule: Rule) -> AsyncIterator[None]:
        """What every rule does before it answers."""
        await self._begin()
        try:
            async with self._came:
                while self.most_at_work < rule.get("whenAtWork", 0):
                    await self._came.wait()
            if rule.get("cancels"):
                await self._cancel()
            if rule.get("cancels") or rule.get("never"):
                await trio.sleep_forever()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        finally:
            self._at_work -= 1
        if "rejects" in rule:
            raise RequestRejected(rule["rejects"])
        yield

    async def _begin(self) -> None:
        self._at_work += 1
        self.most_at_work = max(self.most_at_work, self._at_work)
        async with self._came:
            self._came.notify_all()


def _error(rule: Rule) -> Exception:
    fails = {_MORE.get(name, name): value for name, value in rule["fails"].items()}
    kind, message = fails.pop("kind"), fails.pop("message")
    return RuntimeError(message) if kind == "fault" else _ERRORS[kind](message, **fails, **_spent(rule))


def _spent(rule: Rule) -> dict[str, Any]:
    spent: dict[str, Any] = {"cost_usd": rule.get("costUsd"), "model": rule.get("model")}
    if "fails" not in rule:
        spent["session_id"] = rule.get("sessionId")
    if "usage" in rule:
        names = {"input": "input", "output": "output", "cacheRead": "cache_read", "cacheWrite": "cache_write"}
        spent["usage"] = AgentUsage(**{names[name]: count for name, count in rule["usage"].items()})
    return spent
