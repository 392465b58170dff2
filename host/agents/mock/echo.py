"""Answers that are made up from the call itself, always the same."""

from __future__ import annotations

from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError
from flowcage.host.agents.mock.instance import NoInstance, make


async def echo(call: AgentCall) -> AgentAnswer:
    """Answer with the prompt, or with a small value made from `options.schema`.

    The words of the prompt count as tokens, so that budgets can be tried out.

    Raises:
        AgentError: `make` does not support the schema.
    """
    tokens = len(call.prompt.split())
    if call.schema is None:
        return AgentAnswer(f"echo: {call.prompt}", tokens, cost_usd=0.0, provider="mock")
    try:
        return AgentAnswer(make(call.schema), tokens, cost_usd=0.0, provider="mock")
    except NoInstance as why:
        raise AgentError(
            f"mock cannot make up an answer for this options.schema: {why}; give one by --fixtures, or use "
            "a real agent (--agent)"
        ) from None
