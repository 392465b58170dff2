"""Framing: what is a line, and how long one may be."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_both import framing
from flowcage.conformance.on_both.framing import padded
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("framing", "protocol.md: Framing")
framing.CHECKS.register(check)

SMALL = 1000
MIB = 1 << 20


@check.must("A reply is one line: a newline in a value is escaped.")
def one_reply_one_line(child: ChildPeer) -> None:
    child.expect_result("two\nlines", 'export default "two\\nlines";')


@check.must("Only \\n ends a line: U+2028, U+2029 and U+0085 are content.")
def only_newline_ends_a_line(child: ChildPeer) -> None:
    child.initialize()
    text = "a\u2028b\u2029c\u0085d"
    sent = child.send_request("start", {"source": "export default args;", "args": text}, raw=True)
    child.result_for(sent, "start")
    expect("the result", child.result(), text)


@check.must("A line over maxMessageBytes is message_too_large with id null, and skipped.")
def line_too_long(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=SMALL)
    child.refuses_line("message_too_large", padded(SMALL + 1))


@check.must("A line of exactly maxMessageBytes, its newline not counted, is read.")
def line_of_the_maximum(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=SMALL)
    child.send(padded(SMALL) + b"\n")
    child.error_for("method_not_found", 7)


@check.must("However long a line is, it is refused once and the next one is served.")
def line_far_too_long(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=SMALL)
    child.refuses_line("message_too_large", b"x" * MIB)


@check.must("Before initialize a line may have 8 MiB and no more.")
def default_maximum(child: ChildPeer) -> None:
    child.send(padded(8 * MIB) + b"\n")
    child.error_for("method_not_found", 7)
    child.refuses_line("message_too_large", padded(8 * MIB + 1))
