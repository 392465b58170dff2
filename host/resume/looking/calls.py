"""Values that tell of the calls of a kept run: what was asked, of whom, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from flowcage.host.run.core.agents.spending import Costs
from flowcage.protocol.messages import MISSING, AgentRequest, AskRequest, Json, Missing, Request

# How a call stands. `queued` has not begun; `open` has, and has no end; `done` needed no answer of a value.
CallState: TypeAlias = Literal["queued", "open", "answered", "done", "failed", "refused", "cancelled"]


class RefusedAnswer(NamedTuple):
    """An answer that did not fit the call's schema, and what was wrong with it."""

    text: str | None
    problem: str


@dataclass
class CallAttempt:
    """One time that somebody was asked.

    Attributes:
        began, ended: seconds since the run was made; `ended` is None while it is at work.
        refused: answers that were of no use.
        error: why there is no answer.
        lives: hosts that were at it; more than one where it was interrupted and asked again.
        costs: of its answers.
        is_heard: whether an answer is being checked, which has counted.
    """

    number: int
    began: float
    ended: float | None = None
    refused: list[RefusedAnswer] = field(default_factory=list)
    error: str | None = None
    lives: int = 1
    costs: Costs = field(default_factory=Costs)
    is_heard: bool = False

    @property
    def tokens(self) -> int:
        """That count for the budget."""
        return self.costs.tokens

    @property
    def cost_usd(self) -> float:
        """US dollars, as far as they are known."""
        return self.costs.cost_usd


@dataclass
class RunCall:
    """One request of a run's tree.

    Attributes:
        id: in the tree, ``3``, or ``3/1`` of the child workflow that request 3 started.
        path: of the workflow that made it.
        kind: of the request, as the wire names it.
        request: as it was kept; a prompt may have been withheld.
        phase: that it is counted in.
        value: what it was answered with; `MISSING` where it was not.
        error: why it has failed.
        model, session_id, worktree: as the agent told.
        reused: whether the answer comes from another run.
        reused_from: that run, and the request of it that had the answer, as far as it is known.
        ended: seconds since the run was made; None as long as the call waits.
    """

    id: str
    path: str
    kind: str
    request: Request
    label: str | None
    phase: str | None
    asked: float
    state: CallState = "queued"
    attempts: list[CallAttempt] = field(default_factory=list)
    value: Json | Missing = MISSING
    error: str | None = None
    model: str | None = None
    session_id: str | None = None
    worktree: Mapping[str, Json] | None = None
    reused: bool = False
    reused_from: tuple[str, str] | None = None
    ended: float | None = None

    @property
    def prompt(self) -> str:
        """What an agent, or a person, was asked; "" for another kind of request."""
        match self.request:
            case AgentRequest(prompt=text) | AskRequest(question=text):
                return text
        return ""

    @property
    def costs(self) -> Costs:
        """Of all attempts."""
        total = Costs()
        for attempt in self.attempts:
            total.add(attempt.costs)
        return total

    @property
    def tokens(self) -> int:
        """Of all attempts."""
        return self.costs.tokens

    @property
    def cost_usd(self) -> float:
        """Of all attempts."""
        return self.costs.cost_usd

    @property
    def seconds(self) -> float:
        """At work, over all attempts that have ended."""
        return sum(each.ended - each.began for each in self.attempts if each.ended is not None)

    def to_json(self) -> dict[str, Any]:
        """Without the prompt's further text, options and answer: a line of `flowcage show --json`."""
        told: dict[str, Any] = {"id": self.id, "kind": self.kind, "label": self.label, "phase": self.phase}
        if self.prompt:
            told["prompt"] = self.prompt
        return told | {
            "outcome": self.state,
            "attempts": len(self.attempts),
            "model": self.model,
            **costs_to_json(self.costs),
            "seconds": round(self.seconds, 6),
            "reused": self.reused,
            "reusedFrom": None if self.reused_from is None else list(self.reused_from),
            "error": self.error,
        }


def costs_to_json(costs: Costs) -> dict[str, Any]:
    """Tokens and US dollars, by the names of a run's usage."""
    return {
        "tokens": costs.tokens,
        "costUsd": round(costs.cost_usd, 9),
        "inputTokens": costs.input,
        "outputTokens": costs.output,
        "cacheReadTokens": costs.cache_read,
        "cacheWriteTokens": costs.cache_write,
        "unpriced": costs.unpriced,
    }
