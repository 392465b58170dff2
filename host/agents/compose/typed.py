"""Types of agents: what ``options.agentType`` of a call comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import OptionNotHonoured
from flowcage.host.agents.types.errors import UnknownAgentType
from flowcage.protocol import strictjson

if TYPE_CHECKING:
    from flowcage.host.agents.types.agent_type import AgentType


class Types(Protocol):
    """Where types are looked up; `AgentTypes` is one."""

    def find(self, name: str) -> AgentType:
        """A type by its name. Raises `UnknownAgentType`."""


def typed(agent: Agent, types: Types) -> Agent:
    """Make an agent that is told what the type of each call says.

    Args:
        agent: is asked with ``instructions``, ``tools`` and the options of the type, without ``agentType``.
        types: where the type is looked up.
    """

    async def answer(call: AgentCall) -> AgentAnswer:
        name = call.options.get("agentType")
        if name is None:
            return await agent(call)
        if not isinstance(name, str):
            told = strictjson.dumps(name)[:80]
            raise OptionNotHonoured(f"options.agentType must be the name of a type, not {told}")
        try:
            kind = types.find(name)
        except UnknownAgentType as error:
            raise OptionNotHonoured(str(error)) from None
        return await agent(kind.applied(call))

    return answer
