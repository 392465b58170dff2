"""What answers ``agent()``: the interface, the built-in agents, and checks of answers against schemas."""

from flowcage.host.agents.agent import Agent
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.errors import AgentError, AgentSpecError, WrongAnswer
from flowcage.host.agents.spec import missing_program, parse_agent

__all__ = [
    "Agent",
    "AgentAnswer",
    "AgentCall",
    "AgentError",
    "AgentSpecError",
    "WrongAnswer",
    "missing_program",
    "parse_agent",
]
