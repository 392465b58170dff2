"""What an agent gives back: its answer, what that cost, and word of its progress before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from flowcage.protocol.messages import Json

# More than anything costs; sums of it are finite.
MAX_COST_USD = 2.0**53


@dataclass(frozen=True)
class AgentUsage:
    """Tokens of one answer, as the model's provider counts them.

    Attributes:
        input, output: what was read anew, and what was written.
        cache_read, cache_write: what the provider took from its cache, and put there.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_read", "cache_write"):
            _require_count(name, getattr(self, name))

    def to_json(self) -> dict[str, int]:
        """As events have it."""
        names = {"input": self.input, "output": self.output}
        return names | {"cacheRead": self.cache_read, "cacheWrite": self.cache_write}


def usage_of(told: Json) -> AgentUsage | None:
    """The usage that has this JSON; None for anything else, which a damaged store may have."""
    if not isinstance(told, dict):
        return None
    try:
        return AgentUsage(told["input"], told["output"], told["cacheRead"], told["cacheWrite"])
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, init=False)
class AgentAnswer:
    """What the workflow gets, and what it cost.

    Attributes:
        value: text, or the JSON value that the call's schema asks for; whoever asked checks it.
        tokens: that count for the budget. Left out, they are the input and output of `usage`, or 0.
        usage: the tokens in detail, where they are known.
        cost_usd: US dollars; 0 for what costs nothing, None where nobody knows.
        model: the one that answered.
        session_id: the agent's own name for the conversation.
        worktree: where its changes are kept, with ``isolation: 'worktree'``; None where there are none.
        provider: whose model answered, for figures; None where nobody says.
    """

    value: Json
    tokens: int = 0
    usage: AgentUsage | None = None
    cost_usd: float | None = None
    model: str | None = None
    session_id: str | None = None
    worktree: Mapping[str, Json] | None = None
    provider: str | None = field(default=None, compare=False)

    def __init__(
        self,
        value: Json,
        tokens: int = 0,
        usage: AgentUsage | None = None,
        cost_usd: float | None = None,
        model: str | None = None,
        session_id: str | None = None,
        worktree: Mapping[str, Json] | None = None,
        provider: str | None = None,
    ) -> None:
        tokens = tokens_of(tokens, usage)
        if cost_usd:
            require_cost(cost_usd)
        own = self.__dict__
        own["value"], own["tokens"], own["usage"], own["cost_usd"] = value, tokens, usage, cost_usd
        own["model"], own["session_id"], own["worktree"] = model, session_id, worktree
        own["provider"] = provider


@dataclass(frozen=True)
class Progress:
    """Word of an agent at work. Each member that is not None tells something new.

    Attributes:
        text: what it does, in a line.
        usage, cost_usd: spent by this attempt so far, not since the last word.
        model, session_id: as those of `AgentAnswer`.
    """

    text: str | None = None
    usage: AgentUsage | None = None
    cost_usd: float | None = None
    model: str | None = None
    session_id: str | None = None

    def __post_init__(self) -> None:
        if self.cost_usd:
            require_cost(self.cost_usd)


def tokens_of(tokens: int, usage: AgentUsage | None) -> int:
    """The tokens that count for the budget: those told, or else the input and output of the usage."""
    if type(tokens) is not int or tokens < 0:
        _require_count("tokens", tokens)
    return usage.input + usage.output if not tokens and usage is not None else tokens


def require_cost(cost: object) -> None:
    """Raise ValueError for what is no amount of US dollars."""
    if not is_cost(cost):
        raise ValueError(f"cost_usd must be a number from 0 to {MAX_COST_USD:g}, not {cost!r:.80}")


def is_cost(cost: object) -> TypeGuard[float]:
    """Whether something is an amount of US dollars."""
    return not isinstance(cost, bool) and isinstance(cost, int | float) and 0 <= cost <= MAX_COST_USD


def _require_count(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be a whole number of 0 or more, not {value!r}")
