"""check: reads a source without running it."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("check", "protocol.md: check")


@check.must("check tells the dialect and the value of meta, and the child can run a workflow afterwards.")
def told(child: ChildPeer) -> None:
    child.require("check")
    checked = child.request("check", source='export const meta = {name: "checked"};\nreturn 1;')
    expect("the dialect", checked["dialect"], "script")
    expect("meta", checked["meta"], {"name": "checked"})
    child.expect_result("then run", 'export default "then run";')


@check.must("What check finds, and the outline, are told where they were asked for alone.")
def asked(child: ChildPeer) -> None:
    child.require("check")
    plain = child.request("check", source="export default 1; // plain")
    expect("the further members", sorted(plain.keys() & {"findings", "outline"}), [])
