"""The `claude` command line program (Claude Code) as an agent."""

from flowcage.host.agents.programs.claude.agent import found, make

__all__ = ["found", "make"]
