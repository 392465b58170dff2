"""drain: everything in one trip."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("drain", "protocol.md: drain")


@check.must("drain hands out all calls and requests, each in order, and the state.")
def everything(child: ChildPeer) -> None:
    child.start('log("a"); agent("p"); phase("q"); agent("r");\nawait agent("s");\nexport default 1;')
    drained = child.drain()
    expect("the calls", [call["type"] for call in drained["calls"]], ["log", "phase"])
    expect("the prompts", [request["prompt"] for request in drained["requests"]], ["p", "r", "s"])
    expect("the state", drained["state"], "pending")


@check.must("Calls and requests are handed out once.")
def once(child: ChildPeer) -> None:
    child.start('log("x"); export default await agent("drained once");')
    child.drain()
    drained = child.drain()
    expect("calls and requests", [drained["calls"], drained["requests"]], [[], []])


@check.must("A complete run has its output.")
def complete(child: ChildPeer) -> None:
    child.start("export default { verdict: 'fine' };")
    drained = child.drain()
    expect(
        "state and output",
        [drained["state"], drained["output"]],
        ["complete", {"result": {"verdict": "fine"}}],
    )


@check.must("Once complete, further drains repeat state and output.")
def complete_repeated(child: ChildPeer) -> None:
    child.start("export default 'again';")
    child.drain()
    drained = child.drain()
    expect("state and output", [drained["state"], drained["output"]], ["complete", {"result": "again"}])


@check.must("A drain that completes still hands out requests that nobody awaits.")
def left_behind(child: ChildPeer) -> None:
    child.start('agent("left behind"); log("and told");\nexport default 1;')
    drained = child.drain()
    expect("requests and calls", [len(drained["requests"]), len(drained["calls"])], [1, 1])


@check.must("A run that can never finish is stalled.")
def stalled(child: ChildPeer) -> None:
    child.start("await new Promise(() => {});\nexport default 1;")
    drained = child.drain()
    expect("state and stalled", [drained["state"], drained.get("stalled")], ["pending", True])


@check.must("A run that waits for an answer is not stalled.")
def waiting_is_not_stalled(child: ChildPeer) -> None:
    child.start('export default await agent("still waiting");')
    child.drain()
    expect("stalled", child.drain().get("stalled", False), False)


@check.should("An error that parallel turned into null is told in diagnostics.")
def diagnostics(child: ChildPeer) -> None:
    child.start('export default await parallel([() => { throw new Error("swallowed"); }]);')
    drained = child.drain()
    expect("the result", drained["output"], {"result": [None]})
    expect("there are diagnostics", bool(drained.get("diagnostics")), True)


@check.should("A request without an answer when the workflow completes is told in diagnostics.")
def unawaited_request(child: ChildPeer) -> None:
    child.start('agent("never awaited");\nexport default 1;')
    notes = [note for note in child.drain().get("diagnostics", []) if note["kind"] == "unawaited_request"]
    expect("the requests that are told", [[note["type"], note["id"]] for note in notes], [["agent", "1"]])
