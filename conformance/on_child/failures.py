"""Failed runs: which kind of error, when it comes, and what still works."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("failures", "protocol.md: When a run fails")


@check.must("What the workflow throws is exception, with name, message and stack.")
def exception(child: ChildPeer) -> None:
    data = child.expect_failure("exception", 'export default () => { throw new RangeError("boom"); };')
    expect("name and message", [data["name"], data["message"]], ["RangeError", "boom"])
    expect("there is a stack", bool(data["stack"]), True)


@check.must("A module that throws while it is evaluated is exception.")
def evaluation(child: ChildPeer) -> None:
    child.expect_failure("exception", 'throw new Error("at once");\nexport default 1;')


@check.must("A dynamic import of what no workflow may import rejects.")
def dynamic_import(child: ChildPeer) -> None:
    child.expect_result(
        "rejected", 'export default await import("fs").then(() => "imported", () => "rejected");'
    )


@check.must("A result that JSON cannot hold is serialization.")
def serialization(child: ChildPeer) -> None:
    child.expect_failure("serialization", "export default 1n;")


@check.must("poll, drain and take repeat the same error.")
def repeated(child: ChildPeer) -> None:
    first = child.expect_failure("exception", 'export default () => { throw new Error("again"); };')
    for method in ("poll", "take", "drain"):
        expect(f"the error of {method}", child.refused("exception", method), first)


@check.must("Calls and requests from before a failure are handed out first; the next message gets it.")
def queued_first(child: ChildPeer) -> None:
    child.start('log("before"); agent("before");\nthrow new Error("then this");\nexport default 1;')
    drained = child.drain()
    expect("calls and requests", [len(drained["calls"]), len(drained["requests"])], [1, 1])
    child.refused("exception", "drain")


@check.must("No JavaScript runs after a failure.")
def nothing_runs_after(child: ChildPeer) -> None:
    child.start('agent("a").then(() => log("ran"));\nexport default () => { throw new Error("over"); };')
    child.drain()
    child.send_request("resolve", {"id": "1", "resolution": {"type": "ok", "value": 1}}, "late")
    child.next_reply()
    child.refused("exception", "drain")


@check.must("shutdown still works after a failure.")
def shutdown(child: ChildPeer) -> None:
    child.start('export default () => { throw new Error("shut down then"); };')
    child.send_request("drain", {}, "failed")
    child.next_reply()
    child.request("shutdown")
    child.expect_exit()
