"""What one question to an agent costs: as the answer tells, and until then as the agent told in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import trio

from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.agents.errors import AgentError
from flowcage.host.run.core.inputs import NO_FACTS, Facts, Spent

# US dollars below which more is no news.
LEAST_USD = 0.0001


class Cost(NamedTuple):
    """As the core takes it."""

    spent: Spent
    facts: Facts = NO_FACTS


class Meter:
    """Of one attempt, which may put several questions.

    An agent that is cut off gives no answer, and one that fails may not say what that has cost: both have
    spent what they told last all the same.

    Args:
        watch: is told of progress; None where nobody watches.
        keep: is given what the agent has told that it has spent by now, so that it outlives the host.

    Attributes:
        began: when the question was put, or its answer was heard, by trio's clock.
        model, provider: that were told for it; None where nobody has.
        error_type: of what came in place of an answer.
    """

    __slots__ = (
        *("_asked_at", "_cost_usd", "_has_answer", "_keep", "_kept", "_kept_usd", "_kept_tokens", "_tokens"),
        *("_usage", "_watch", "began", "error_type", "model", "provider"),
    )

    def __init__(
        self, watch: Callable[[Progress], None] | None, keep: Callable[[Spent, Facts], None]
    ) -> None:
        self._watch = watch
        self._keep = keep
        self.put()

    def put(self) -> None:
        """Another question is put."""
        self.provider: str | None = None
        self.error_type: str | None = None
        self.begin()
        self._asked_at = self.began

    def seconds(self, spent: Spent) -> float:
        """Of the question, from when it was put; `spent` counts from when its answer was heard."""
        return round(spent.seconds + self.began - self._asked_at, 6)

    def begin(self) -> None:
        """Count anew from here: what came before is counted."""
        self.began = trio.current_time()
        self._has_answer = False
        self._tokens = 0
        self._usage: AgentUsage | None = None
        self._cost_usd: float | None = None
        self.model: str | None = None
        self._kept: dict[str, Any] = {}
        self._kept_tokens = 0
        self._kept_usd: float | None = None

    def tell(self, progress: Progress) -> None:
        """Take word of an agent at work."""
        self._take(progress)
        if self._is_news:
            self._keep(*self.read())
        if self._watch is not None:
            self._watch(progress)

    def hear(self, answer: AgentAnswer) -> None:
        """Take an answer, before it is checked."""
        self._take(answer)
        self.provider = answer.provider
        self._has_answer, self._tokens = True, answer.tokens
        if answer.session_id is not None:
            # The workflow has the handle of the session, which says nothing and is that of this answer alone.
            self._kept |= {"session_id": answer.session_id, "handle": f"agent:{os.urandom(8).hex()}"}
        if answer.worktree is not None:
            self._kept["worktree"] = dict(answer.worktree)

    def fail(self, error: Exception) -> None:
        """Take why there is no answer."""
        self.error_type = type(error).__name__
        if isinstance(error, AgentError):
            self._take(error)
            self.provider = error.provider
            self._tokens = error.tokens

    @property
    def has_cost(self) -> bool:
        """Whether anything is known to be spent."""
        return self._has_answer or bool(self._tokens or self._cost_usd) or self._usage is not None

    def read(self) -> Cost:
        """What was spent by now. A failure that tells of nothing has cost nothing."""
        usage, tokens = self._usage, self._tokens
        if not tokens and usage is not None:
            tokens = usage.input + usage.output
        cost_usd = self._cost_usd if self._cost_usd is not None or self.has_cost else 0.0
        spent = Spent(tokens, cost_usd, round(trio.current_time() - self.began, 6))
        if usage is None and self.model is None and not self._kept:
            return Cost(spent)
        facts: dict[str, Any] = {"usage": None if usage is None else usage.to_json(), "model": self.model}
        return Cost(spent, facts | {"session_id": None} | self._kept if self._has_answer else facts)

    @property
    def _is_news(self) -> bool:
        """Whether so much more is spent than was kept last that it is kept again; then it counts as kept.

        An agent may tell at any rate. As each word that is kept says a 20th more than the one before, a call
        has some hundred entries at most, and a host that is killed loses less than a 20th of what was told.
        """
        usage, cost = self._usage, self._cost_usd
        tokens = 0 if usage is None else sum(usage.to_json().values())
        if not (_is_more(tokens, self._kept_tokens) or _is_dearer(cost, self._kept_usd)):
            return False
        self._kept_tokens = max(tokens, self._kept_tokens)
        self._kept_usd = cost if self._kept_usd is None else max(cost or 0.0, self._kept_usd)
        return True

    def _take(self, word: Progress | AgentAnswer | AgentError) -> None:
        if word.usage is not None:
            self._usage = word.usage
        if word.cost_usd is not None:
            self._cost_usd = word.cost_usd
        if word.model is not None:
            self.model = word.model


def _is_more(tokens: int, kept: int) -> bool:
    return tokens > kept and (tokens - kept) * 20 >= kept


def _is_dearer(cost: float | None, kept: float | None) -> bool:
    if cost is None or kept is None:
        return cost is not None
    return cost - kept >= max(kept / 20, LEAST_USD)
