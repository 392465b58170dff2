"""Bytes and lines."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer, line

check = CHILD_CHECKS.theme("framing", "protocol.md: Framing")

SMALL = 1000
MIB = 1 << 20


@check.must("one-reply-one-line", "A reply is one line: a newline in a value is escaped.")
def _(child: ChildPeer) -> None:
    child.expect_result("two\nlines", 'export default "two\\nlines";')


@check.must("only-newline-ends-a-line", "Only \\n ends a line: U+2028, U+2029 and U+0085 are content.")
def _(child: ChildPeer) -> None:
    child.initialize()
    text = "a\u2028b\u2029c\u0085d"
    sent = child.send_request("start", {"source": "export default args;", "args": text}, raw=True)
    child.result_for(sent, "start")
    expect("the result", child.result(), text)


@check.must(
    "blanks-around-a-message", "Blanks around the object, a carriage return too, are JSON's whitespace."
)
def _(child: ChildPeer) -> None:
    child.send(b" \t" + line("conformance/none", None, 71).removesuffix(b"\n") + b" \r\n")
    child.error_for("method_not_found", 71)


@check.must("line-in-pieces", "A line may arrive in any number of pieces.")
def _(child: ChildPeer) -> None:
    child.serves_on()
    whole = line("conformance/none", None, 72)
    for at in range(len(whole)):
        child.send(whole[at : at + 1])
        child.program.wait(0.01 if at < 5 else 0)  # so that the child sees pieces, not the whole
    child.error_for("method_not_found", 72)


@check.must("lines-in-one-piece", "Several lines may arrive in one piece; each is answered.")
def _(child: ChildPeer) -> None:
    child.send(b"".join(line("conformance/none", None, number) for number in range(201, 204)))
    for number in range(201, 204):
        child.error_for("method_not_found", number)


@check.must("empty-line", "An empty line is no JSON text: -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b"")


@check.must("line-too-long", "A line over maxMessageBytes is message_too_large with id null, and skipped.")
def _(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=SMALL)
    child.refuses_line("message_too_large", padded(SMALL + 1))


@check.must("line-of-the-maximum", "A line of exactly maxMessageBytes, its newline not counted, is read.")
def _(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=SMALL)
    child.send(padded(SMALL) + b"\n")
    child.error_for("method_not_found", 7)


@check.must("line-far-too-long", "However long a line is, it is refused once and the next one is served.")
def _(child: ChildPeer) -> None:
    child.initialize(maxMessageBytes=SMALL)
    child.refuses_line("message_too_large", b"x" * MIB)


@check.must("default-maximum", "Before initialize a line may have 8 MiB and no more.")
def _(child: ChildPeer) -> None:
    child.send(padded(8 * MIB) + b"\n")
    child.error_for("method_not_found", 7)
    child.refuses_line("message_too_large", padded(8 * MIB + 1))


def padded(size: int) -> bytes:
    """A request for an unknown method, of exactly so many bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail
