"""Runs that end because of what their agents cost, or because none can be asked."""

from __future__ import annotations

from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.verdict import Verdict


class AgentLimitReached(RunError):
    """The workflow went on calling ``agent()`` long after ``maxTotalAgents`` was reached; it was killed."""

    child_alive = True
    verdict = Verdict.AGENT_LIMIT


class BudgetExhausted(RunError):
    """The workflow went on calling ``agent()`` long after its budget was spent; it was killed."""

    child_alive = True
    verdict = Verdict.BUDGET_EXHAUSTED


class CostExhausted(RunError):
    """The workflow went on calling ``agent()`` long after its cost ceiling was reached; it was killed."""

    child_alive = True
    verdict = Verdict.COST_EXHAUSTED


class RunHalted(RunError):
    """No agent can be asked any more: its account has no credit, no quota, or is not known.

    What was at work had its end first. A run that a store keeps can be gone on with, and asks again then.
    """

    child_alive = True
    verdict = Verdict.AGENTS_UNAVAILABLE

    def __init__(self, why: str) -> None:
        super().__init__(f"agents cannot be asked any more: {why}")
