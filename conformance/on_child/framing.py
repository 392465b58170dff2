"""Framing: what is a line, and how long one may be."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer, line

check = CHILD_CHECKS.theme("framing", "protocol.md: Framing")

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


@check.must("Blanks around the object, a carriage return too, are JSON's whitespace.")
def blanks_around_a_message(child: ChildPeer) -> None:
    child.send(b" \t" + line("conformance/none", None, 71).removesuffix(b"\n") + b" \r\n")
    child.error_for("method_not_found", 71)


@check.must("A line may arrive in any number of pieces.")
def line_in_pieces(child: ChildPeer) -> None:
    child.expect_still_serving()
    whole = line("conformance/none", None, 72)
    for at in range(len(whole)):
        child.send(whole[at : at + 1])
        child.program.wait(0.01 if at < 5 else 0)  # so that the child sees pieces, not the whole
    child.error_for("method_not_found", 72)


@check.must("Several lines may arrive in one piece; each is answered.")
def lines_in_one_piece(child: ChildPeer) -> None:
    child.send(b"".join(line("conformance/none", None, number) for number in range(201, 204)))
    for number in range(201, 204):
        child.error_for("method_not_found", number)


@check.must("An empty line is no JSON text: -32700 with id null.")
def empty_line(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b"")


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


def padded(size: int) -> bytes:
    """A request for an unknown method, of exactly so many bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail
