"""``flowcage mcp``: the commands about workflows and runs as tools of a coding agent."""
