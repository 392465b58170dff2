"""When nothing is left to a run but to wait: whether it could as well have no process."""

from __future__ import annotations

import math

from flowcage.host.run.core.tree import Call, Tree, request_of

# The kind whose handler runs a workflow of the same tree, and waits for that alone.
_WORKFLOW = "workflow"


def rests_until(tree: Tree) -> float | None:
    """When the first of its waits is over, in seconds of the core's clock; None where something goes on.

    Something goes on while a child works or has not been told what is there, and while anybody is asked but
    people. Where these alone are waited for, it is infinity.
    """
    if not tree.workflows:
        return None
    first, asks = math.inf, False
    for workflow in tree.workflows.values():
        if workflow.is_over or workflow.is_listening or workflow.ready:
            return None
        for call in workflow.calls.values():
            if call.stage == "waiting":
                first = min(first, call.due)
            elif call.stage == "person":
                asks = True
            elif call.stage == "known" or (call.stage == "asked" and not _waits_for_a_workflow(tree, call)):
                return None
    return first if asks or first < math.inf else None


def waits_for_handlers(tree: Tree) -> bool:
    """Whether no child has anything to do, and somebody is asked who is at work, or may be."""
    is_asked = False
    for workflow in tree.workflows.values():
        if workflow.is_over or workflow.is_listening or workflow.ready:
            return False
        stages = {call.stage for call in workflow.calls.values()}
        if "known" in stages:
            return False
        is_asked = is_asked or not stages.isdisjoint(("asked", "person"))
    return is_asked


def _waits_for_a_workflow(tree: Tree, call: Call) -> bool:
    if call.kind is None or call.kind.name != _WORKFLOW:
        return False
    return any(path and request_of(path) == call.id for path in tree.workflows)
