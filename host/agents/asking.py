"""One attempt of an ``agent()`` call: the answer is checked, and asked for once more if it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flowcage.host.agents.base import Agent, AgentAnswer, AgentCall, AgentError, WrongAnswer
from flowcage.host.agents.schema.checks import SchemaChecks
from flowcage.host.agents.sendable import require_sendable

# Answers in one attempt. The second call carries what was wrong with the first answer.
_TRIES = 2


async def ask(
    agent: Agent, call: AgentCall, *, schemas: SchemaChecks, max_bytes: int, charge: Callable[[int], None]
) -> AgentAnswer:
    """Ask an agent, and check that its answer can be sent and satisfies the call's schema.

    Args:
        agent: the handler.
        call: as the workflow made it.
        schemas: applies the call's schema.
        max_bytes: of the answer as JSON.
        charge: called with the tokens of each answer, valid or not.

    Returns:
        The last answer, with the tokens of all answers.

    Raises:
        RequestRejected: from the agent; or `AgentError` where no answer was valid or the schema is not.
        TypeError: the handler returned something other than an `AgentAnswer`.
    """
    if call.schema is None:
        return await _try(agent, call, max_bytes, charge)
    schema = await schemas.admit(call.schema)  # first: with a wrong schema the agent's tokens would be wasted
    tokens, problem = 0, None

    def count(used: int) -> None:
        nonlocal tokens
        tokens += used
        charge(used)

    for _ in range(_TRIES):
        try:
            answer = await _try(agent, replace(call, problem=problem), max_bytes, count)
            problem = await schema.why_not(answer.value)
        except WrongAnswer as wrong:
            problem = str(wrong)
        if problem is None:
            return AgentAnswer(answer.value, tokens)
    raise AgentError(f"the agent gave no valid answer in {_TRIES} tries: {problem}")


async def _try(agent: Agent, call: AgentCall, max_bytes: int, charge: Callable[[int], None]) -> AgentAnswer:
    answer = await agent(call)
    if not isinstance(answer, AgentAnswer):
        raise TypeError(f"an agent must return an AgentAnswer, not {type(answer).__name__}")
    charge(answer.tokens)
    require_sendable(answer.value, max_bytes)
    return answer
