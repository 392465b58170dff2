"""What one question to an agent costs: as the answer tells, and until then as the agent told in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import trio

from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.agents.errors import AgentError
from flowcage.host.run.core.inputs import NO_FACTS, Facts, Spent


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

    Attributes:
        began: when the question was put, by trio's clock.
    """

    __slots__ = ("_cost_usd", "_has_answer", "_kept", "_model", "_tokens", "_usage", "_watch", "began")

    def __init__(self, watch: Callable[[Progress], None] | None) -> None:
        self._watch = watch
        self.begin()

    def begin(self) -> None:
        """Another question is put."""
        self.began = trio.current_time()
        self._has_answer = False
        self._tokens = 0
        self._usage: AgentUsage | None = None
        self._cost_usd: float | None = None
        self._model: str | None = None
        self._kept: dict[str, Any] = {}

    def tell(self, progress: Progress) -> None:
        """Take word of an agent at work."""
        self._take(progress)
        if self._watch is not None:
            self._watch(progress)

    def hear(self, answer: AgentAnswer) -> None:
        """Take an answer, before it is checked."""
        self._take(answer)
        self._has_answer, self._tokens = True, answer.tokens
        if answer.session_id is not None:
            # The workflow has the handle of the session, which says nothing and is that of this answer alone.
            self._kept |= {"session_id": answer.session_id, "handle": f"agent:{os.urandom(8).hex()}"}
        if answer.worktree is not None:
            self._kept["worktree"] = dict(answer.worktree)

    def fail(self, error: Exception) -> None:
        """Take why there is no answer."""
        if isinstance(error, AgentError):
            self._take(error)
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
        if usage is None and self._model is None and not self._kept:
            return Cost(spent)
        facts: dict[str, Any] = {"usage": None if usage is None else usage.to_json(), "model": self._model}
        return Cost(spent, facts | {"session_id": None} | self._kept if self._has_answer else facts)

    def _take(self, word: Progress | AgentAnswer | AgentError) -> None:
        if word.usage is not None:
            self._usage = word.usage
        if word.cost_usd is not None:
            self._cost_usd = word.cost_usd
        if word.model is not None:
            self._model = word.model
