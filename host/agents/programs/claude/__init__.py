"""The `claude` command line program (Claude Code) as an agent."""

from flowcage.host.agents.programs.claude.agent import examiner, found, make

__all__ = ["examiner", "found", "make"]
