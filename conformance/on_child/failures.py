"""A run that failed."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("failures", "protocol.md: When a run fails")


@check.must("exception", "What the workflow throws is exception, with name, message and stack.")
def _(child: ChildPeer) -> None:
    data = child.expect_failure("exception", 'export default () => { throw new RangeError("boom"); };')
    expect("name and message", [data["name"], data["message"]], ["RangeError", "boom"])
    expect("there is a stack", bool(data["stack"]), True)


@check.must("evaluation", "A module that throws while it is evaluated is exception.")
def _(child: ChildPeer) -> None:
    child.expect_failure("exception", 'throw new Error("at once");\nexport default 1;')


@check.must("dynamic-import", "A dynamic import of what no workflow may import rejects.")
def _(child: ChildPeer) -> None:
    child.expect_result(
        "rejected", 'export default await import("fs").then(() => "imported", () => "rejected");'
    )


@check.must("serialization", "A result that JSON cannot hold is serialization.")
def _(child: ChildPeer) -> None:
    child.expect_failure("serialization", "export default 1n;")


@check.must("repeated", "poll, drain and take repeat the same error.")
def _(child: ChildPeer) -> None:
    first = child.expect_failure("exception", 'export default () => { throw new Error("again"); };')
    for method in ("poll", "take", "drain"):
        expect(f"the error of {method}", child.refused("exception", method), first)


@check.must(
    "queued-first", "Calls and requests from before a failure are handed out first; the next message gets it."
)
def _(child: ChildPeer) -> None:
    child.start('log("before"); agent("before");\nthrow new Error("then this");\nexport default 1;')
    drained = child.drain()
    expect("calls and requests", [len(drained["calls"]), len(drained["requests"])], [1, 1])
    child.refused("exception", "drain")


@check.must("nothing-runs-after", "No JavaScript runs after a failure.")
def _(child: ChildPeer) -> None:
    child.start('agent("a").then(() => log("ran"));\nexport default () => { throw new Error("over"); };')
    child.drain()
    child.send_request("resolve", {"id": "1", "resolution": {"type": "ok", "value": 1}}, "late")
    child.next_reply()
    child.refused("exception", "drain")


@check.must("shutdown", "shutdown still works after a failure.")
def _(child: ChildPeer) -> None:
    child.start('export default () => { throw new Error("shut down then"); };')
    child.send_request("drain", {}, "failed")
    child.next_reply()
    child.request("shutdown")
    child.expect_exit()
