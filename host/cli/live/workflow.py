"""What a board is made of: workflows, their phases, agents at work, and what is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_TEXT = 300  # characters of a label, a title, a word of an agent


@dataclass
class Agent:
    """One that is at work.

    Attributes:
        name: label, or the beginning of the prompt.
        began: when it was asked.
        word: the last line that it told of itself.
        spent, cost_usd: told of this attempt so far.
        settled, settled_usd: of that, what refused answers had cost, which the phase has counted.
    """

    name: str
    began: float
    attempt: int = 1
    model: str | None = None
    word: str = ""
    spent: int = 0
    cost_usd: float = 0.0
    settled: int = 0
    settled_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """That no end has counted yet."""
        return max(0, self.spent - self.settled)

    @property
    def cost(self) -> float:
        """Likewise, in US dollars."""
        return max(0.0, self.cost_usd - self.settled_usd)


@dataclass
class Phase:
    """The calls of one phase of one workflow.

    Attributes:
        title: "" for calls without a phase.
        began, ended: of its calls; `ended` is the last end, whether or not there are more to come.
        total: calls of agents.
        answered, failed, cancelled: of them; `reused` counts among those that were answered.
        tokens, cost_usd: of answers; `unpriced` counts those whose cost is not known.
        queued: names of the calls that have not begun, or wait to be retried, by request.
        working: by request.
    """

    title: str
    began: float
    ended: float = 0.0
    total: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    reused: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    queued: dict[str, str] = field(default_factory=dict)
    working: dict[str, Agent] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether a call is open."""
        return bool(self.queued or self.working)

    def charge(self, tokens: int, cost_usd: float | None) -> None:
        """Count what an answer has cost."""
        self.tokens += tokens
        self.cost_usd += cost_usd or 0.0
        self.unpriced += cost_usd is None and tokens > 0


@dataclass
class Wait:
    """A sleep, which ends at a time, or a question, which a person answers."""

    text: str
    until: float | None = None
    question: str | None = None


@dataclass
class Workflow:
    """One of a run's tree.

    Attributes:
        name: of its source; a second one of the same has a number.
        after: the phase of its parent in which it was started.
        verdict: None while it goes on.
        phase: the title that the last ``phase()`` gave.
        phases: by title, in the order in which they were first seen.
        waits: by request.
        calls: phases of the calls that are open, by request.
    """

    name: str
    began: float
    after: str = ""
    verdict: str | None = None
    error: str | None = None
    ended: float | None = None
    phase: str = ""
    phases: dict[str, Phase] = field(default_factory=dict)
    waits: dict[str, Wait] = field(default_factory=dict)
    calls: dict[str, Phase] = field(default_factory=dict)
    children: list[Workflow] = field(default_factory=list)

    def tree(self) -> Iterator[Workflow]:
        """This one, and all below it."""
        yield self
        for child in self.children:
            yield from child.tree()


def bounded(text: str) -> str:
    """A text of anybody's, as much of it as a board keeps."""
    return text[:MOST_TEXT]
