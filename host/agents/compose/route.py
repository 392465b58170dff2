"""Several agents behind one: who is asked depends on the call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall


@dataclass(frozen=True)
class Route:
    """Which calls go to an agent.

    Attributes:
        agent: is asked.
        label, phase, model, provider, agent_type: patterns with ``*``, ``?`` and ``[…]``, of which all have
            to fit; None fits anything, also where the call has none.
    """

    agent: Agent
    label: str | None = None
    phase: str | None = None
    model: str | None = None
    provider: str | None = None
    agent_type: str | None = None

    def fits(self, call: AgentCall) -> bool:
        """Whether a call goes this way."""
        asked = (
            (self.label, call.label),
            (self.phase, call.phase),
            (self.model, call.model),
            (self.provider, call.provider),
            (self.agent_type, call.options.get("agentType")),
        )
        return all(
            pattern is None or (isinstance(value, str) and fnmatchcase(value, pattern))
            for pattern, value in asked
        )


def route(routes: Mapping[str, Agent] | Iterable[Route], default: Agent) -> Agent:
    """Make an agent that passes each call on to another one.

    Args:
        routes: the first that fits is taken. A mapping has patterns of labels: ``{"verify:*": agent}``.
        default: is asked where none fits.
    """
    if isinstance(routes, Mapping):
        routes = [Route(agent, label=label) for label, agent in routes.items()]
    ways = tuple(routes)

    async def answer(call: AgentCall) -> AgentAnswer:
        for way in ways:
            if way.fits(call):
                return await way.agent(_followed(way, call))
        return await default(call)

    return answer


def _followed(way: Route, call: AgentCall) -> AgentCall:
    """The call without the provider that has led here: the agent need not follow it."""
    if way.provider is None:
        return call
    return replace(call, options={name: value for name, value in call.options.items() if name != "provider"})
