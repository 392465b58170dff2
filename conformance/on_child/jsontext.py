"""What is JSON, and how much of it."""

from __future__ import annotations

from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("json", "protocol.md: Framing")


def request_with(value: bytes) -> bytes:
    """A request for an unknown method whose params hold this text."""
    return b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":' + value + b"}}"


@check.must("not-json", "An unparsable line is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b"hello")


@check.must("unfinished", "Half an object is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b'{"jsonrpc":"2.0","id":7')


@check.must("trailing-text", "Text after the object is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"1") + b" x")


@check.must("invalid-utf-8", "Invalid UTF-8 is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b'"\xff"'))


@check.must("utf-16", "UTF-16 is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"1").decode().encode("utf-16-le"))


@check.must("nan", "NaN is not JSON: -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"NaN"))


@check.must("infinity", "Infinity is not JSON: -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"-Infinity"))


@check.must("number-too-large", "A number that no double holds, such as 1e999, is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"1e999"))


@check.must("control-character", "A bare control character in a string is -32700 with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b'"\x01"'))


@check.must("too-deep", "Nesting far beyond reason is message_too_large with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("message_too_large", request_with(b"[" * 100_000 + b"]" * 100_000))


@check.must("too-many-values", "More structure than bytes justify is message_too_large with id null.")
def _(child: ChildPeer) -> None:
    child.refuses_line("message_too_large", request_with(b"[" + b"[]," * 2_600_000 + b"[]]"))


@check.must("brackets-in-strings", "Brackets and commas inside strings are no structure.")
def _(child: ChildPeer) -> None:
    text = "[[[[,,,,{{{{" * 200_000
    child.expect_result(len(text), "export default args.length;", args=text)
