"""What agents cost, added up, and the ceilings that it is held to.

A ceiling is checked before a call begins, when what it will cost is not known. So one call goes beyond it at
most, as long as none costs more than the dearest before it:

- While others are at work, a call begins only where the ceiling is not reached even if each of them costs as
  much as the dearest answer by now. Otherwise it waits for one of them to end.
- Before the first answer one call is at work, because nothing is known to reckon with.
- Once the ceiling is reached nothing begins. An answer whose cost nobody knows could be any amount, so with a
  ceiling in dollars nothing begins after it either.

All of it follows from inputs, so a run that is gone on with decides as it did before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flowcage.host.run.core.commands import Verdict
from flowcage.host.run.core.inputs import Facts, Spent
from flowcage.host.run.core.rules import Rules

# Sums of doubles: ten times 0.1 is a dollar.
DIGITS = 9
_COUNTS = ("input", "output", "cacheRead", "cacheWrite")


class Counts(NamedTuple):
    """Tokens in detail, as in `AgentUsage`."""

    input: int
    output: int
    cache_read: int
    cache_write: int


def counts_of(facts: Facts) -> Counts | None:
    """The tokens that an answer's facts tell of; None for what is no usage, which a store may have."""
    usage = facts.get("usage")
    if not isinstance(usage, dict):
        return None
    found: list[int] = []
    for name in _COUNTS:
        if type(count := usage.get(name)) is not int or count < 0:
            return None
        found.append(count)
    return Counts(*found)


def model_of(facts: Facts) -> str | None:
    """The model that an answer's facts name."""
    model = facts.get("model")
    return model if isinstance(model, str) else None


@dataclass(slots=True)
class Costs:
    """A sum over answers.

    Attributes:
        tokens: that count for the budget.
        cost_usd: of the answers whose cost is known.
        input, output, cache_read, cache_write: tokens in detail, of the answers that told them.
        unpriced: answers that used tokens and whose cost is not known.
    """

    tokens: int = 0
    cost_usd: float = 0.0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    unpriced: int = 0

    def add(self, other: Costs) -> None:
        """Add another sum."""
        self.tokens += other.tokens
        self.cost_usd += other.cost_usd
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.unpriced += other.unpriced

    def charge(self, spent: Spent, counts: Counts | None = None) -> None:
        """Add what one answer cost."""
        self.tokens += spent.tokens
        if spent.cost_usd is not None:
            self.cost_usd += spent.cost_usd
        elif spent.tokens or counts is not None:
            self.unpriced += 1
        if counts is not None:
            self.input += counts.input
            self.output += counts.output
            self.cache_read += counts.cache_read
            self.cache_write += counts.cache_write


@dataclass(slots=True)
class ModelCosts(Costs):
    """What the answers of one model cost.

    Attributes:
        answers: of any kind, refused ones and those of failures included.
    """

    answers: int = 0


class Left(NamedTuple):
    """What one call may spend; None where there is no ceiling.

    `is_share` is whether it must not pass that, since others are at work beside it.
    """

    tokens: int | None
    cost_usd: float | None
    is_share: bool = False


@dataclass(slots=True)
class Ceilings:
    """Of one run.

    Attributes:
        tokens: of a hard budget; None for none.
        usd: US dollars; None for none.
        is_paced: whether calls wait for others at work; runs of before that rule do not.
        is_known: whether there was an answer, and `dearest_tokens` and `dearest_usd` say something.
        width: calls that may be at work at once, by what is known: one more after each answer.
        unpriced: why no cost can be known any more; None where it can.
        whose: they are, for messages.
    """

    tokens: int | None
    usd: float | None
    is_paced: bool
    is_known: bool = False
    dearest_tokens: int = 0
    dearest_usd: float = 0.0
    width: int = 1
    unpriced: str | None = None
    whose: str = "run"

    @property
    def are_set(self) -> bool:
        """Whether there is any."""
        return self.tokens is not None or self.usd is not None

    def learn(self, spent: Spent, model: str | None, *, is_answer: bool) -> None:
        """Take what something cost that came back from an agent."""
        tells_something = is_answer or spent.tokens > 0 or bool(spent.cost_usd)
        self.is_known = self.is_known or tells_something
        self.width += tells_something
        self.dearest_tokens = max(self.dearest_tokens, spent.tokens)
        if spent.cost_usd is not None:
            self.dearest_usd = max(self.dearest_usd, spent.cost_usd)
        elif self.usd is not None and self.unpriced is None:
            self.unpriced = "an agent told no model" if model is None else f"the model is {model[:100]!r}"

    def refusal(self, tokens: int, usd: float) -> tuple[Verdict, str] | None:
        """Why no call may begin any more, after so much was spent."""
        if self.tokens is not None and tokens >= self.tokens:
            return (
                Verdict.BUDGET_EXHAUSTED,
                f"agent() is refused: {tokens} of the budget's {self.tokens} tokens are spent",
            )
        if self.usd is None:
            return None
        if self.unpriced is not None:
            return (
                Verdict.COST_EXHAUSTED,
                f"agent() is refused: what an answer has cost is not known ({self.unpriced}), so the "
                f"{self.whose}'s ceiling of ${self.usd:g} cannot be held",
            )
        if round(usd, DIGITS) >= self.usd:
            return (
                Verdict.COST_EXHAUSTED,
                f"agent() is refused: ${usd:.4f} of the {self.whose}'s ceiling of ${self.usd:g} are spent",
            )
        return None

    def may_begin(self, tokens: int, usd: float, at_work: int) -> bool:
        """Whether one more call may begin beside those at work; not, where it has to wait."""
        if not self.is_paced or at_work == 0:
            return True
        if self.refusal(tokens, usd) is not None:  # it need not wait to be refused
            return True
        if not self.is_known:
            return False
        left = self.left(tokens, usd, at_work)
        return (left.tokens is None or left.tokens > 0) and (left.cost_usd is None or left.cost_usd > 0)

    def left(self, tokens: int, usd: float, others: int) -> Left:
        """What one call may spend, if each of the others at work costs as much as the dearest by now."""
        left_tokens = left_usd = None
        if self.tokens is not None:
            left_tokens = max(0, self.tokens - tokens - others * self.dearest_tokens)
        if self.usd is not None:
            left_usd = max(0.0, round(self.usd - usd - others * self.dearest_usd, DIGITS))
        return Left(left_tokens, left_usd)


def ceilings_of(rules: Rules) -> Ceilings:
    """Those that a run's rules set."""
    tokens = rules.budget_tokens if rules.hard_budget else None
    return Ceilings(tokens, rules.max_cost_usd, rules.paced)
