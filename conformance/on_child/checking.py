"""check: reads a source without running it."""

from __future__ import annotations

from flowcage.conformance.check import LeftOut, expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import USUAL_ISOLATION, ChildPeer

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


@check.should("A finding has the line of what is wrong.")
def line(child: ChildPeer) -> None:
    child.request("initialize", protocolVersion="1.0", isolation=USUAL_ISOLATION, reads=True)
    source = '\n\nagent("nobody waits for this");\nexport default 1;'
    reply = child.reply_to(child.send_request("check", {"source": source, "findings": True}), "check")
    checked = reply.get("result", {})  # an older child has no such method
    if "findings" not in checked:
        raise LeftOut("the child tells no findings")
    expect("the lines", [finding["line"] for finding in checked["findings"]], [3])
