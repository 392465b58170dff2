"""Which texts are JSON, and how much structure a line may have."""

from __future__ import annotations

from flowcage.conformance.on_both import jsontext
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("json", "protocol.md: Framing")
jsontext.CHECKS.register(check)


@check.must("Brackets and commas inside strings are no structure.")
def brackets_in_strings(child: ChildPeer) -> None:
    text = "[[[[,,,,{{{{" * 200_000
    child.expect_result(len(text), "export default args.length;", args=text)
