"""What became of the agent calls of a run and what they cost: in all, by phase and by model."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field

from flowcage.host.run.core.agents.shares import Amount, Shares
from flowcage.host.run.core.agents.spending import (
    Ceilings,
    Costs,
    Left,
    ModelCosts,
    ceilings_of,
    counts_of,
    model_of,
)
from flowcage.host.run.core.commands import Verdict
from flowcage.host.run.core.inputs import Facts, Spent
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import Json

# Phases have names that workflows choose, so what is kept by phase has bounds.
MAX_PHASES = 100
MAX_PHASE_NAME = 200
OTHER_PHASES = "(other phases)"
# Models are named by agents, and the same goes for them.
MAX_MODELS = 100
MAX_MODEL_NAME = 200
OTHER_MODELS = "(other models)"


@dataclass(slots=True)
class Totals(Costs):
    """Counts of agent calls and of what they cost, of a tree or of one phase.

    Attributes:
        started: calls whose first attempt began; `refused` never began, `cancelled` had no end of their own.
        reused: calls that have the answer of another run; none of the other counts has them.
        reused_tokens: that their answers cost then.
        swallowed, unawaited: diagnostics of these kinds that children told.
    """

    started: int = 0
    completed: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    reused: int = 0
    reused_tokens: int = 0
    swallowed: int = 0
    unawaited: int = 0

    @property
    def seen_tokens(self) -> int:
        """What counts for the budget: an answer that is reused costs the workflow what it did then."""
        return self.tokens + self.reused_tokens


@dataclass(slots=True)
class Books:
    """The books of one run.

    Args:
        rules: what it is held to.

    Attributes:
        totals: of the whole tree.
        phases: by the name of the workflow's source, and the phase.
        models: by the name that the agents told.
        is_paced: whether a call may have to wait for what others at work spend.
        is_shared: whether it gets a share of what is left.
        shares: of those at work.
    """

    rules: InitVar[Rules]
    totals: Totals = field(default_factory=Totals)
    phases: dict[tuple[str, str], Totals] = field(default_factory=dict)
    models: dict[str, ModelCosts] = field(default_factory=dict)
    is_paced: bool = field(init=False)
    is_shared: bool = field(init=False)
    shares: Shares = field(init=False)
    _ceilings: Ceilings = field(init=False)
    _are_ceilings_set: bool = field(init=False)
    _most: int = field(init=False)

    def __post_init__(self, rules: Rules) -> None:
        self._ceilings = ceilings_of(rules)
        self._are_ceilings_set = self._ceilings.are_set
        self.is_paced = rules.paced and self._are_ceilings_set
        self.is_shared = self.is_paced and rules.shared
        self.shares = Shares(self._ceilings)
        self._most = rules.max_agents

    def totals_of(self, where: tuple[str, str]) -> tuple[Totals, Totals]:
        """Those of the tree, and those of a workflow's source and a phase."""
        totals = self.phases.get(where)
        return self.totals, self._new_phase(*where) if totals is None else totals

    def charge(self, where: tuple[str, str], spent: Spent, facts: Facts, completed: int) -> str | None:
        """Count an answer.

        Args:
            where: source name and phase.
            spent, facts: as it was told.
            completed: 1 for one that its workflow gets.

        Returns:
            Its model, where that is the first answer of it that has no cost.
        """
        counts = counts_of(facts) if facts else None
        for totals in self.totals_of(where):
            totals.completed += completed
            totals.charge(spent, counts)
        model = model_of(facts) if facts else None
        if self._are_ceilings_set:
            self._ceilings.learn(spent, model, is_answer=completed > 0)
        if model is None:
            return None
        costs = self._of_model(model)
        before, costs.answers = costs.unpriced, costs.answers + 1
        costs.charge(spent, counts)
        return model if before == 0 and costs.unpriced else None

    def refusal(self) -> tuple[Verdict, str] | None:
        """Why no agent may be asked any more: what a workflow is told, and the verdict if it goes on."""
        if not self._are_ceilings_set:
            return None
        return self._ceilings.refusal(self.totals.seen_tokens, self.totals.cost_usd)

    @property
    def spent(self) -> Amount:
        """What counts for the ceilings."""
        return Amount(self.totals.seen_tokens, self.totals.cost_usd)

    def may_begin(self, at_work: int) -> bool:
        """Whether another agent may be asked beside so many at work; not, where it has to wait."""
        totals = self.totals
        return not self.is_paced or self._ceilings.may_begin(totals.seen_tokens, totals.cost_usd, at_work)

    def admits(self, at_work: int, need: Amount | None) -> bool:
        """Whether a call may begin beside so many at work; `need` is None for one that is gone."""
        if not self.is_shared:
            return self.may_begin(at_work)
        if need is None or self.refusal() is not None:  # it need not wait to be refused
            return True
        return self.shares.admits(self.spent, need, self._most)

    def left_of(self, identifier: str) -> Left:
        """What the agent of a call may spend that is at work."""
        return self.shares.left(identifier, self.spent)

    def left(self, others: int) -> Left:
        """What an agent may spend beside so many others at work."""
        return self._ceilings.left(self.totals.seen_tokens, self.totals.cost_usd, others)

    def _new_phase(self, source_name: str, phase: str) -> Totals:
        key = (source_name, phase[:MAX_PHASE_NAME])
        if key not in self.phases and len(self.phases) >= MAX_PHASES:
            key = ("", OTHER_PHASES)
        return self.phases.setdefault(key, Totals())

    def _of_model(self, name: str) -> ModelCosts:
        key = name[:MAX_MODEL_NAME]
        if key not in self.models and len(self.models) >= MAX_MODELS:
            key = OTHER_MODELS
        return self.models.setdefault(key, ModelCosts())


def unpriced_note(model: str) -> dict[str, Json]:
    """The diagnostic for a model without a price; it comes once for each."""
    name = model[:MAX_MODEL_NAME]
    message = (
        f"what model {name!r} costs is not known, so its answers are missing in costUsd; an agent can tell "
        "it (costUsd), and a later genai-prices may have it"
    )
    return {"kind": "unpriced_model", "message": message, "model": name}
