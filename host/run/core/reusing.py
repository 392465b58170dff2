"""Requests that another run has the answers of: they are not asked, and count against no cap."""

from __future__ import annotations

from flowcage.host.run.core.agents.calls import AgentCalls
from flowcage.host.run.core.inputs import Reused
from flowcage.host.run.core.tree import Call, Tree, Workflow
from flowcage.protocol.messages import AgentRequest, Missing, Ok, OkUndefined, WorkflowRequest


class Reusing:
    """The rules of reuse on one tree."""

    def __init__(self, tree: Tree, agents: AgentCalls) -> None:
        self._tree = tree
        self._agents = agents

    def expect(self, workflow: Workflow, call: Call) -> None:
        """Leave a call to `Reused`."""
        call.stage = "known"
        if isinstance(call.request, AgentRequest):
            self._agents.note(workflow, call, call.request)

    def settle(self, call: Call | None, given: Reused) -> Workflow | None:
        """Resolve a call that was left, or a child workflow that a handler was asked for; others stay."""
        tree = self._tree
        if call is None or (workflow := tree.workflows[call.path]).is_over:
            return None
        if call.stage != "known" and not (
            call.stage == "asked" and isinstance(call.request, WorkflowRequest)
        ):
            return None
        for totals in tree.totals_of(call):
            totals.reused += given.agents
            totals.reused_tokens += given.spent.tokens
        value = given.value
        tree.sessions.take_over(given.facts)
        if isinstance(call.request, AgentRequest):
            self._agents.reused(call, given)
            value = tree.sessions.value_of(call.id, call.request, given)
        tree.settle(call, OkUndefined() if isinstance(value, Missing) else Ok(value, tree.budget))
        return workflow
