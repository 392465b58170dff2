"""take: all queued requests."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("take", "protocol.md: take")


@check.must("take hands out every queued request, oldest first.")
def all_at_once(child: ChildPeer) -> None:
    child.start('agent("a"); agent("b"); agent("c");\nexport default 1;')
    expect("the prompts", [request["prompt"] for request in child.take()], ["a", "b", "c"])


@check.must("Each request is handed out once.")
def once(child: ChildPeer) -> None:
    child.start('export default await agent("only once");')
    child.take()
    expect("the second take", child.take(), [])


@check.must("take leaves calls for poll and drain.")
def leaves_calls(child: ChildPeer) -> None:
    child.start('log("kept"); export default await agent("a");')
    child.take()
    expect("the calls", child.drain()["calls"], [{"type": "log", "values": ["kept"]}])


@check.must("JavaScript runs in take: what a resolution leads to is handed out.")
def runs_javascript(child: ChildPeer) -> None:
    child.start('export default [await agent("first"), await agent("then")];')
    child.take()
    child.resolve("1", None)
    expect("the prompts", [request["prompt"] for request in child.take()], ["then"])
