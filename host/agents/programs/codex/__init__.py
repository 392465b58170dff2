"""The `codex` command line program as an agent."""

from flowcage.host.agents.programs.codex.agent import examiner, found, make

__all__ = ["examiner", "found", "make"]
