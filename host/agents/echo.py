"""The built-in agent: deterministic, needs nothing, and answers at once."""

from __future__ import annotations

from flowcage.host.agents.base import AgentAnswer, AgentCall, AgentError
from flowcage.host.agents.instance import NoInstance, make


async def echo(call: AgentCall) -> AgentAnswer:
    """Answer with the prompt, or with a small value that `options.schema` suggests.

    The words of the prompt count as its tokens, so that budgets can be tried out.

    Raises:
        AgentError: the schema is one that takes a real agent.
    """
    tokens = len(call.prompt.split())
    if call.schema is None:
        return AgentAnswer(f"echo: {call.prompt}", tokens)
    try:
        return AgentAnswer(make(call.schema), tokens)
    except NoInstance as why:
        raise AgentError(
            f"echo, the built-in agent, cannot answer this options.schema: {why}; use a real agent (--agent)"
        ) from None
