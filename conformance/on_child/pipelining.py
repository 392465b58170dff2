"""Requests sent without waiting."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.conversation import line
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("pipelining", "protocol.md: JSON-RPC")


@check.must("Replies come in the order of the requests.")
def in_order(child: ChildPeer) -> None:
    names = ["p1", "p2", "p3", "p4"]
    child.send(b"".join(line(f"conformance/{name}", None, name) for name in names))
    for name in names:
        child.error_for("method_not_found", name)


@check.must("A whole run may be sent in one write.")
def whole_run(child: ChildPeer) -> None:
    messages: list[tuple[str, dict[str, object]]] = [
        ("initialize", {"protocolVersion": "1.0", "isolation": "best_effort"}),
        ("start", {"source": 'export default [await agent("ahead")];'}),
        ("drain", {}),
        ("resolve", {"id": "1", "resolution": {"type": "ok", "value": "known before"}}),
        ("drain", {}),
    ]
    lines = [line(method, params, f"run{at}") for at, (method, params) in enumerate(messages)]
    child.send(b"".join(lines))
    results = [child.result_for(f"run{at}", method) for at, (method, _) in enumerate(messages)]
    expect("the output", results[-1].get("output"), {"result": ["known before"]})


@check.must("A line that is refused between others is answered in its place.")
def refusal_between(child: ChildPeer) -> None:
    child.send(line("conformance/a", None, "a") + b"{refused}\n" + line("conformance/b", None, "b"))
    child.error_for("method_not_found", "a")
    child.error_for("parse_error", None)
    child.error_for("method_not_found", "b")
