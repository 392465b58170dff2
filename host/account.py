"""What a run and its child workflows share: agent slots, tokens, the count of agents."""

from __future__ import annotations

import trio

from flowcage.protocol.messages import Budget


class Account:
    """One per top-level run.

    Args:
        max_agents: agents at work at once; the others wait in the order of their calls.
        budget_tokens: the ceiling that workflows see, or None.
    """

    def __init__(self, max_agents: int, budget_tokens: int | None) -> None:
        self.slots = trio.CapacityLimiter(max_agents)
        self._total = budget_tokens
        self.tokens = 0
        self.agents = 0

    @property
    def budget(self) -> Budget:
        """What a workflow may know."""
        return Budget(self._total, self.tokens)

    def charge(self, tokens: int) -> None:
        """Count one agent's reported tokens."""
        self.tokens += tokens
