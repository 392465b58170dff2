"""How many agents a run would have at work at once."""

from __future__ import annotations

from flowcage.host.run.core.tree import Tree
from flowcage.protocol.messages import AgentRequest


def take_note_of_demand(tree: Tree) -> None:
    """Count the calls that are at work or wait for a place. The most that there were decide shares."""
    books = tree.books
    if not books.is_shared or books.shares.wanted >= tree.rules.max_agents:
        return
    wanted = sum(
        call.stage == "asked" or (call.stage == "queued" and not workflow.is_over)
        for workflow in tree.workflows.values()
        for call in workflow.calls.values()
        if isinstance(call.request, AgentRequest)
    )
    books.shares.wanted = max(books.shares.wanted, wanted)
