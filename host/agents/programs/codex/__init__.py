"""The `codex` command line program as an agent."""

from flowcage.host.agents.programs.codex.agent import found, make

__all__ = ["found", "make"]
