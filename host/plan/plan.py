"""A plan: what a dry run asked for, what it would cost, and what bounds a real run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowcage.host.graph.outline import Block, Call, Outline
from flowcage.host.graph.words import arm, call_title, head
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.plan.dry_run import DryRun
from flowcage.host.plan.estimate import CHARACTERS_A_TOKEN
from flowcage.host.plan.places import place_of, varying
from flowcage.host.plan.recorder import PlannedCall
from flowcage.host.run.options import RunOptions
from flowcage.protocol.messages import Json

VERSION = 1


@dataclass(frozen=True)
class Assumptions:
    """What an estimate rests on.

    Attributes:
        items: of each array in an answer that is made up, where its schema allows so many.
        output_tokens: of each answer.
    """

    items: int
    output_tokens: int


@dataclass(frozen=True)
class Placed:
    """A call with its place; `varies` has what decides by answers how often it is made."""

    call: PlannedCall
    workflow: str
    place: Call | None
    varies: tuple[Block, ...]


class Plan:
    """All that is known before a run.

    Args:
        found: the dry run.
        options: of the run.
        outlines: of the workflows, by their names; those that are not known are missing.
        assumptions: that it rests on.
        notes: what a person should know of the agents.
    """

    def __init__(
        self,
        found: DryRun,
        options: RunOptions,
        outlines: Mapping[str, Outline],
        assumptions: Assumptions,
        notes: list[str],
    ) -> None:
        self.found = found
        self.options = options
        self.outlines = outlines
        self.assumptions = assumptions
        self.calls = [self._placed(call) for call in found.recorder.calls.values()]
        self.notes = [*notes, *self._warnings()]

    @property
    def asked(self) -> list[PlannedCall]:
        """Calls that would cost something."""
        return [each.call for each in self.calls if each.call.is_followed]

    @property
    def cost_usd(self) -> float | None:
        """Estimated for all calls; None where no price is known for one."""
        costs = [call.cost_usd for call in self.asked]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def most_asks(self) -> int:
        """How often agents would be asked for these calls at most, with retries and second tries."""
        return min(self.options.max_total_agents, sum(call.asks for call in self.asked))

    @property
    def bound_usd(self) -> float | None:
        """What the caps allow: as many answers as there may be, each as dear as the dearest of the plan."""
        costs = [call.cost_usd for call in self.asked]
        if not costs or None in costs:
            return self.options.max_cost_usd
        bound = max(cost for cost in costs if cost is not None) * self.options.max_total_agents
        return bound if self.options.max_cost_usd is None else min(bound, self.options.max_cost_usd)

    def varies(self) -> list[tuple[str, Block]]:
        """What decides by answers how much is asked for: workflows with loops and branches of theirs."""
        found = {(each.workflow, block): None for each in self.calls for block in each.varies}
        for name, outline in self.outlines.items():
            for call in self.unreached(name):
                found |= {(name, block): None for block in varying(call, outline)}
        return list(found)

    def unreached(self, workflow: str) -> Iterator[Call]:
        """Calls of agents in the source that these answers did not lead to.

        Nothing is said of a workflow where the place of some call is not known.
        """
        outline = self.outlines.get(workflow)
        made = [each for each in self.calls if each.workflow == workflow]
        if outline is None or any(each.place is None for each in made):
            return
        reached = {(each.place.line, each.place.column) for each in made if each.place is not None}
        for call in outline.calls:
            if call.kind == "agent" and (call.line, call.column) not in reached:
                yield call

    def to_json(self) -> dict[str, Json]:
        """The whole plan; docs/looking.md describes it."""
        recorder, error = self.found.recorder, self.found.error
        verdict = Verdict.COMPLETED if error is None else error.verdict
        ended = (
            {} if error is None else {"error": {"kind": getattr(error, "kind", None), "message": str(error)}}
        )
        return {
            "plan": VERSION,
            "verdict": str(verdict),
            **ended,
            "workflows": [
                {"sourceName": each.source_name, "error": each.error} for each in recorder.workflows.values()
            ],
            "phases": list(recorder.phases),
            "calls": [_call_json(each) for each in self.calls],
            "questions": [question[:1_000] for question in recorder.questions],
            "sleepMs": recorder.sleep_ms,
            "varies": [_block_json(name, block) for name, block in self.varies()],
            "unreached": [
                {"workflow": name, "line": call.line, "title": call_title(call)}
                for name in self.outlines
                for call in self.unreached(name)
            ],
            "estimate": self._estimate(),
            "bounds": self._bounds(),
            "assumptions": {
                "items": self.assumptions.items,
                "outputTokens": self.assumptions.output_tokens,
                "charactersPerToken": CHARACTERS_A_TOKEN,
            },
            "notes": list(self.notes),
        }

    def _estimate(self) -> dict[str, Json]:
        asked = self.asked
        return {
            "agents": len(asked),
            "refused": sum(each.call.refused is not None for each in self.calls),
            "inputTokens": sum(call.input_tokens for call in asked),
            "outputTokens": sum(call.output_tokens for call in asked),
            "costUsd": self.cost_usd,
            "unpriced": sum(call.cost_usd is None for call in asked),
        }

    def _bounds(self) -> dict[str, Json]:
        options = self.options
        return {
            "asksOfThesePlannedCalls": self.most_asks,
            "maxTotalAgents": options.max_total_agents,
            "maxAgents": options.max_agents,
            "maxCostUsd": options.max_cost_usd,
            "budgetTokens": options.budget_tokens,
            "costUsd": self.bound_usd,
        }

    def _placed(self, call: PlannedCall) -> Placed:
        workflow = self.found.recorder.workflows.get(call.workflow)
        name = "" if workflow is None else workflow.source_name
        outline = self.outlines.get(name)
        place = None if outline is None else place_of(call, outline)
        varies = () if outline is None or place is None else tuple(varying(place, outline))
        return Placed(call, name, place, varies)

    def _warnings(self) -> Iterator[str]:
        unpriced = sorted({call.model or "its own default" for call in self.asked if call.cost_usd is None})
        ceiling, most = self.options.max_cost_usd, self.options.max_total_agents
        if unpriced and ceiling is not None:
            yield (
                f"--max-cost {ceiling:g}: no price is known for {', '.join(unpriced)[:200]}; once such an "
                "answer has come, no further agent is asked"
            )
        if len(self.calls) >= most:
            yield (
                f"the dry run made all {most:,} calls that --max-total-agents allows: the workflow makes "
                "more, or a loop of it does not end with these answers"
            )


def _call_json(each: Placed) -> dict[str, Any]:
    call = each.call
    return {
        "workflow": each.workflow,
        "id": call.id,
        "phase": call.phase,
        "label": call.label,
        "agent": call.agent,
        "model": call.model,
        "effort": call.effort,
        "agentType": call.agent_type,
        "isolation": call.isolation,
        "promptCharacters": len(call.prompt),
        "inputTokens": call.input_tokens,
        "outputTokens": call.output_tokens,
        "costUsd": call.cost_usd,
        "asks": call.asks,
        "answer": "fixture" if call.by_fixture else None if call.refused is not None else "stub",
        "refused": call.refused,
        "line": None if each.place is None else each.place.line,
        "column": None if each.place is None else each.place.column,
        "varies": bool(each.varies),
    }


def _block_json(workflow: str, block: Block) -> dict[str, Any]:
    return {"workflow": workflow, "line": block.line, "kind": block.kind, "text": block_words(block)}


def block_words(block: Block) -> str:
    """What a loop or a branch is called."""
    return arm(block) if block.kind == "branch" else head(block)
