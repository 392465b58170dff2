"""How a type of agent is not found; apart from what looks for it, which most runs do without."""

from __future__ import annotations


class UnknownAgentType(ValueError):
    """There is no such type, or its file cannot be used. The message says which there are."""
