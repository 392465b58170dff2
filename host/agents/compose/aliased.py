"""Other names for models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall


def aliased(agent: Agent, models: Mapping[str, str], default: str | None = None) -> Agent:
    """Make an agent that is asked for other models than its calls name.

    Args:
        agent: is asked.
        models: the model for each name; what it gives is not looked up again. Other names stay.
        default: for calls that name no model; it is looked up, too.
    """
    known = dict(models)

    async def answer(call: AgentCall) -> AgentAnswer:
        named = call.options.get("model")
        model = default if named is None else named
        model = known.get(model, model) if isinstance(model, str) else model
        if model != named:
            call = replace(call, options={**call.options, "model": model})
        return await agent(call)

    return answer


def pinned(agent: Agent, model: str) -> Agent:
    """Make an agent that is asked for one model, whatever its calls name."""

    async def answer(call: AgentCall) -> AgentAnswer:
        return await agent(replace(call, options={**call.options, "model": model}))

    return answer
