"""``agent()``: from the call over its attempts to one resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from flowcage.host.agents.asking import ask
from flowcage.host.agents.base import AgentAnswer, AgentCall, AgentError
from flowcage.host.agents.schema.checker import SchemaRefused
from flowcage.host.agents.terms import Terms, terms_of
from flowcage.host.events import records
from flowcage.host.outcome.errors import RequestRejected
from flowcage.protocol.messages import AgentRequest, Json, Missing, Ok, Rejected, Resolution

if TYPE_CHECKING:
    from flowcage.host.run.answers import Answers
    from flowcage.host.run.run import Run


@dataclass(frozen=True)
class _Attempt:
    """The next attempt at an agent call, numbered from 1."""

    request: AgentRequest
    call: AgentCall
    terms: Terms
    number: int = 1

    @property
    def phase(self) -> str:
        """The phase that is charged."""
        return _text(self.call.options, "phase") or ""


class AgentCalls:
    """Answers the agent calls of one run. Each attempt queues for a slot and only then is a task."""

    def __init__(self, run: Run, answers: Answers) -> None:
        self._run = run
        self._answers = answers

    def begin(self, request: AgentRequest) -> None:
        """Queue a call, or reject it at once."""
        options = {} if isinstance(request.options, Missing) else request.options
        call = AgentCall(request.id, request.prompt, self._run.phase_defaults.fill_in(options))
        first = _Attempt(request, call, Terms())
        try:
            terms = terms_of(options, self._run.options.limits.max_sleep_ms)
            self._run.account.admit()
        except RequestRejected as refusal:
            self._answers.settle(request.id, self._refuse(first, refusal))
        else:
            self._queue(replace(first, terms=terms))

    def _queue(self, attempt: _Attempt) -> None:
        agents = self._run.account.agents
        self._answers.queue(agents, attempt.request, partial(self._carry_out, attempt))

    async def _carry_out(self, attempt: _Attempt) -> Resolution | None:
        """Make one attempt. None where there will be another."""
        account, began = self._run.account, trio.current_time()
        try:
            account.require_budget()  # others may have spent it while this one waited
            if attempt.number == 1:
                account.start(attempt.phase)
        except RequestRejected as refusal:
            if attempt.number == 1:
                return self._refuse(attempt, refusal)
            return self._fail(attempt, refusal, began, again=False)
        self._tell_of_start(attempt)
        try:
            answer = await self._ask(attempt)
        except RequestRejected as error:
            again = attempt.number < attempt.terms.max_attempts and not isinstance(error, SchemaRefused)
            return self._fail(attempt, error, began, again=again)
        account.complete(attempt.phase)
        seconds = round(trio.current_time() - began, 6)
        self._run.emit(
            records.AgentCompleted, request_id=attempt.call.id, seconds=seconds, tokens=answer.tokens
        )
        return Ok(answer.value, account.budget)

    async def _ask(self, attempt: _Attempt) -> AgentAnswer:
        options, timeout_ms = self._run.options, attempt.terms.timeout_ms
        with trio.move_on_after(timeout_ms / 1000):
            return await ask(
                options.agent,
                attempt.call,
                schemas=self._run.account.schemas,
                max_bytes=options.limits.max_message_bytes,
                charge=partial(self._run.account.charge, attempt.phase),
            )
        raise AgentError(f"the agent took longer than options.timeoutMs ({timeout_ms:g} ms)")

    def _fail(
        self, attempt: _Attempt, error: RequestRejected, began: float, *, again: bool
    ) -> Resolution | None:
        self._tell_of_failure(attempt, error, round(trio.current_time() - began, 6), again)
        if not again:
            self._run.account.fail(attempt.phase)
            return Rejected(str(error))
        wait = attempt.terms.backoff_seconds(attempt.number)
        self._answers.after(wait, partial(self._queue, replace(attempt, number=attempt.number + 1)))
        return None

    def _refuse(self, attempt: _Attempt, refusal: RequestRejected) -> Resolution:
        self._run.account.refused += 1
        self._tell_of_failure(replace(attempt, number=0), refusal, 0.0, False)
        return Rejected(str(refusal))

    def _tell_of_start(self, attempt: _Attempt) -> None:
        self._run.emit(
            records.AgentStarted,
            request_id=attempt.call.id,
            prompt=attempt.call.prompt,
            label=_text(attempt.call.options, "label"),
            phase=_text(attempt.call.options, "phase"),
            attempt=attempt.number,
        )

    def _tell_of_failure(
        self, attempt: _Attempt, error: RequestRejected, seconds: float, again: bool
    ) -> None:
        self._run.emit(
            records.AgentFailed,
            request_id=attempt.call.id,
            seconds=seconds,
            message=str(error),
            attempt=attempt.number,
            will_retry=again,
        )


def _text(options: Mapping[str, Json], name: str) -> str | None:
    value = options.get(name)
    return value if isinstance(value, str) else None
