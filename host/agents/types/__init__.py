"""The types of agents that ``options.agentType`` names: Markdown files with front matter."""
