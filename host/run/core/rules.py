"""What a run is held to: the part of its options that the core decides by."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

AgentFailure: TypeAlias = Literal["null", "throw"]
AGENT_FAILURES: tuple[AgentFailure, ...] = ("null", "throw")


class Rules(NamedTuple):
    """Limits and choices; the names of the numbers are those of `RunOptions`.

    Attributes:
        agent_failure: what a call without an answer becomes; None leaves it to the dialect.
        handlers: names of the kinds that somebody answers.
        watched: whether anybody reads what `Emit` tells.
        max_cost_usd: ceiling on what agents cost, in US dollars.
        paced: whether a call waits where those at work may spend what a ceiling leaves. It is false for runs
            that were begun before there was this rule: their history has calls that did not wait.
        shared: whether each call at work has a share of what a ceiling leaves; false for runs of before.
    """

    max_agents: int = 16
    max_total_agents: int = 1000
    max_children: int = 4
    max_total_children: int = 1000
    budget_tokens: int | None = None
    hard_budget: bool = True
    max_sleep_ms: int = 365 * 86_400_000
    agent_failure: AgentFailure | None = None
    handlers: frozenset[str] = frozenset({"agent"})
    watched: bool = True
    max_cost_usd: float | None = None
    paced: bool = False
    shared: bool = False
