"""The built-in agent: deterministic, needs nothing, and answers at once."""

from __future__ import annotations

from flowcage.host.agents import referee
from flowcage.host.agents.base import AgentAnswer, AgentCall


async def echo(call: AgentCall) -> AgentAnswer:
    """Answer with the prompt, or with a minimal instance of ``options.schema``.

    Raises:
        AgentError: the schema is none, or no instance of it could be made.
    """
    if call.schema is None:
        return AgentAnswer(f"echo: {call.prompt}")
    return AgentAnswer(await referee.minimal_instance(call.schema))
