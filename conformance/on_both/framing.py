"""Framing: what is a line, and how long one may be."""

from __future__ import annotations

from flowcage.conformance.check import Shared
from flowcage.conformance.conversation import Conversation, line

CHECKS: Shared[Conversation] = Shared()


@CHECKS.must("Blanks around the object, a carriage return too, are JSON's whitespace.")
def blanks_around_a_message(peer: Conversation) -> None:
    peer.send(b" \t" + line("conformance/none", None, 71).removesuffix(b"\n") + b" \r\n")
    peer.error_for("method_not_found", 71)


@CHECKS.must("A line may arrive in any number of pieces.")
def line_in_pieces(peer: Conversation) -> None:
    peer.expect_still_serving()
    whole = line("conformance/none", None, 72)
    for at in range(len(whole)):
        peer.send(whole[at : at + 1])
        peer.program.wait(0.01 if at < 5 else 0)  # so that the program sees pieces, not the whole
    peer.error_for("method_not_found", 72)


@CHECKS.must("Several lines may arrive in one piece; each is answered.")
def lines_in_one_piece(peer: Conversation) -> None:
    peer.send(b"".join(line("conformance/none", None, number) for number in range(201, 204)))
    for number in range(201, 204):
        peer.error_for("method_not_found", number)


@CHECKS.must("An empty line is no JSON text: -32700 with id null.")
def empty_line(peer: Conversation) -> None:
    peer.refuses_line("parse_error", b"")


def padded(size: int) -> bytes:
    """A request for an unknown method, of exactly so many bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail
