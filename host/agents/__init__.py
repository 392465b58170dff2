"""What answers ``agent()``: the interface, the built-in agents, and checks of answers against schemas."""

from flowcage.host.agents.base import Agent, AgentAnswer, AgentCall, AgentError, AgentSpecError, WrongAnswer
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
