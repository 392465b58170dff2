"""What the reference of a run knows, and what it counts from that again each time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flowcage.host.run.core.rules import Rules

ENDS = ("completed", "failed", "refused", "cancelled")
COUNTED = ("started", *ENDS, "swallowed_error", "unawaited_request")


class Wrong(Exception):
    """The core must call this input out of order."""


@dataclass
class Asked:
    """A request: it is in the ``queue``, at ``work``, it must ``wait``, or it is ``done``."""

    flow: Flow
    request: Any
    kind: str
    phase: str
    where: str = "done"
    turn: int = 0  # its place in the queue
    attempt: int = 0
    tries: int = 0
    text: str | None = None
    heard: int | None = None  # tokens of the answer that is checked

    told: Any = None  # of this try, what it had cost by then
    share: Any = None  # at work: tokens and dollars that it may spend, or "all"
    need: tuple[float, float] = (0, 0.0)
    untold: int = 0  # tokens that no event tells of
    cut: int = 0  # attempts that were too dear for their share

    @property
    def id(self) -> str:
        return f"{self.flow.path}/{self.request.id}".lstrip("/")

    @property
    def retries(self) -> Any:
        return self.request.options.get("retry") or {}


@dataclass
class Flow:
    """A workflow of the tree."""

    path: str
    name: str
    phase: str
    over: bool = False
    gone: bool = False
    listens: bool = True
    dialect: str | None = None
    ready: list[tuple[Any, ...]] = field(default_factory=list)
    phases: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Out:
    """What one input brings about."""

    asks: list[tuple[Any, ...]] = field(default_factory=list)
    tells: list[tuple[Any, ...]] = field(default_factory=list)
    wakes: list[tuple[Any, ...]] = field(default_factory=list)
    finishes: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)


class Books:
    """Facts in their order, and every workflow and request that there ever was.

    Args:
        rules: as the core has them.
        min_refusals: how often a run may be refused at least, before it is ended.
        most_told: resolutions in one turn.
    """

    def __init__(self, rules: Rules, min_refusals: int, most_told: int) -> None:
        self.rules = rules
        self.min_refusals = min_refusals
        self.most_told = most_told
        self.flows: list[Flow] = []
        self.requests: list[Asked] = []
        self.facts: list[tuple[Any, ...]] = []
        self.clock = 0.0
        self.wanted = 1
        self.out = Out()

    def count(self, fact: str) -> int:
        return sum(each[0] == fact for each in self.facts)

    @property
    def tokens(self) -> int:
        return sum(each[2] for each in self.facts if each[0] == "spent")

    def totals(self) -> Counter[str]:
        return Counter({word: self.count(word) for word in COUNTED} | {"tokens": self.tokens})

    def phases(self) -> dict[tuple[str, str], Counter[str]]:
        """Counts of calls and tokens by workflow and phase."""
        found: dict[tuple[str, str], Counter[str]] = {}
        for fact, where, *amount in self.facts:
            if where is not None and fact not in ("cancelled", "cost"):
                word = "tokens" if fact == "spent" else fact
                found.setdefault(where, Counter())[word] += amount[0] if amount else 1
        return found

    def open(self, path: str) -> Flow:
        for flow in self.flows:
            if flow.path == path and not flow.gone:
                return flow
        raise Wrong

    def pending(self, identifier: str) -> Asked | None:
        for each in self.requests:
            if each.id == identifier and each.where != "done" and not each.flow.gone:
                return each
        return None

    def finish(self, flow: Flow, verdict: str, result: Any = None) -> None:
        if not flow.over:
            self.out.finishes.append((flow.path, verdict, result))
            self.close(flow)

    def close(self, flow: Flow) -> None:
        for each in self.flows:
            each.over = each.over or each is flow or f"{each.path}/".startswith(f"{flow.path}/".lstrip("/"))

    def note(self, flow: Flow, kind: str) -> None:
        flow.notes.append(kind)
        self.facts.append((kind, None))

    def name_phase(self, flow: Flow, name: str, options: Any = None) -> None:
        flow.phases[name] = flow.phases.get(name) if options is None else options

    @property
    def costs(self) -> list[tuple[int, float | None, bool]]:
        """Of each answer: tokens, dollars, and whether a workflow got it."""
        return [each[2] for each in self.facts if each[0] == "cost"]

    @property
    def dollars(self) -> float:
        return sum(dollars or 0.0 for _, dollars, _ in self.costs)

    def over(self) -> str | None:
        """The ceiling that is reached, as the verdict has it."""
        total = self.rules.budget_tokens
        if total is not None and self.rules.hard_budget and self.tokens >= total:
            return "budget_exhausted"
        if self.rules.max_cost_usd is None:
            return None
        if any(dollars is None for _, dollars, _ in self.costs) or self.dollars >= self.rules.max_cost_usd:
            return "cost_exhausted"
        return None

    def is_spent(self) -> bool:
        if (verdict := self.over()) is None:
            return False
        self.refuse(verdict)
        return True

    def must_wait(self, at_work: int) -> bool:
        """Whether those at work may spend what is left of a ceiling, and a call has to wait for them."""
        rules = self.rules
        total = rules.budget_tokens if rules.hard_budget else None
        if not rules.paced or at_work == 0 or self.over() or (total is None and rules.max_cost_usd is None):
            return False
        told = [cost for cost in self.costs if cost[2] or cost[0] or cost[1]]
        if not told:
            return True
        tokens = max(cost[0] for cost in self.costs) * at_work
        dollars = max(cost[1] or 0.0 for cost in self.costs) * at_work
        if total is not None and self.tokens + tokens >= total:
            return True
        return rules.max_cost_usd is not None and self.dollars + dollars >= rules.max_cost_usd

    @property
    def has_shares(self) -> bool:
        is_hard = self.rules.budget_tokens is not None and self.rules.hard_budget
        return self.rules.shared and self.rules.paced and (is_hard or self.rules.max_cost_usd is not None)

    def room(self, asked: Asked) -> Any:
        """The share of a call beside the others at work: "all" for all that is left, None for none."""
        others = [each for each in self.requests if each.kind == "agent" and each.where == "work"]
        others = [each for each in others if each is not asked and each.share is not None]
        answers = sum(1 for cost in self.costs if cost[2] or cost[0] or cost[1])
        width = max(1, min(answers + 1, self.wanted, self.rules.max_agents))
        if others and (len(others) >= width or any(each.share == "all" for each in others)):
            return None
        parts: list[float | None] = [None, None]
        for at, ceiling in enumerate((self.rules.budget_tokens, self.rules.max_cost_usd)):
            if ceiling is None or (at == 0 and not self.rules.hard_budget):
                continue
            left = max(0, round(ceiling - (self.tokens, self.dollars)[at], 9))
            free = round(left - sum(each.share[at] for each in others), 9)
            useful = max([asked.need[at], *(2 * (cost[at] or 0) for cost in self.costs)])
            equal = left // width if at == 0 else left / width
            if free <= 0 or free < useful or free < round(equal / 4, 9):
                return None if others else "all"
            part = min(free, max(equal, useful, 1 - at))
            parts[at] = int(part) if at == 0 else round(part, 9)
            if not others and parts[at] == left:
                return "all"
        return parts

    def may_ask(self) -> bool:
        """Whether an agent may be asked once more; it counts."""
        if self.is_spent():
            return False
        if self.count("question") < self.rules.max_total_agents:
            self.facts.append(("question", None))
            return True
        self.refuse("agent_limit")
        return False

    def refuse(self, verdict: str) -> None:
        self.facts.append(("refusal", None))
        if self.count("refusal") >= max(self.min_refusals, self.rules.max_total_agents):
            self.finish(self.open(""), verdict)

    def tell_fact(self, fact: str, asked: Asked, *amount: int) -> None:
        self.facts.append((fact, (asked.flow.name, asked.phase), *amount))

    def event(self, name: str, asked: Asked, *members: Any) -> None:
        self.out.events.append((name, asked.flow.path, asked.request.id, *members))
