"""The built-in agent: deterministic, needs nothing, and answers at once."""

from __future__ import annotations

from flowcage.host.agents import referee
from flowcage.host.agents.base import AgentAnswer, AgentCall


async def echo(call: AgentCall) -> AgentAnswer:
    """Answer with the prompt, or with a minimal instance of ``options.schema``.

    The words of the prompt count as its tokens, so that budgets can be tried out.

    Raises:
        AgentError: the schema is none, or no instance of it could be made.
    """
    tokens = len(call.prompt.split())
    if call.schema is None:
        return AgentAnswer(f"echo: {call.prompt}", tokens)
    return AgentAnswer(await referee.minimal_instance(call.schema), tokens)
