"""Agents that were at work when the host of a run ended: what they had spent, and who is not asked again."""

from __future__ import annotations

from flowcage.host.run.core.inputs import Charged, Refused
from flowcage.host.run.core.tree import Tree, Workflow
from flowcage.protocol.messages import AgentRequest


def charges(tree: Tree) -> list[Charged]:
    """What they had told that they had spent, and no answer has said."""
    calls = [call for workflow in tree.workflows.values() for call in workflow.calls.values()]
    return [Charged(call.id, call.told.spent, call.told.facts) for call in calls if call.told is not None]


def refusals(tree: Tree, workflow: Workflow) -> list[Refused]:
    """Of the calls of a workflow that are not asked again because a ceiling is reached by now.

    One whose answer is there is only checked again.
    """
    reached = None if workflow.is_over else tree.books.refusal()
    if reached is None:
        return []
    at_work = [call for call in workflow.calls.values() if call.stage == "asked" and call.heard is None]
    return [Refused(call.id, reached[1]) for call in at_work if isinstance(call.request, AgentRequest)]
