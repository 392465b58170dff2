"""What answers ``agent()``: `parse_agent` turns the command line's text into an `Agent`."""

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
