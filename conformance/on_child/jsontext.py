"""What is JSON, and how much of it."""

from __future__ import annotations

from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("json", "protocol.md: Framing")


def request_with(value: bytes) -> bytes:
    """A request for an unknown method whose params hold this text."""
    return b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":' + value + b"}}"


@check.must("An unparsable line is -32700 with id null.")
def not_json(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b"hello")


@check.must("Half an object is -32700 with id null.")
def unfinished(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b'{"jsonrpc":"2.0","id":7')


@check.must("Text after the object is -32700 with id null.")
def trailing_text(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"1") + b" x")


@check.must("Invalid UTF-8 is -32700 with id null.")
def invalid_utf_8(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b'"\xff"'))


@check.must("UTF-16 is -32700 with id null.")
def utf_16(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"1").decode().encode("utf-16-le"))


@check.must("NaN is not JSON: -32700 with id null.")
def nan(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"NaN"))


@check.must("Infinity is not JSON: -32700 with id null.")
def infinity(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"-Infinity"))


@check.must("A number that no double holds, such as 1e999, is -32700 with id null.")
def number_too_large(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"1e999"))


@check.must("A bare control character in a string is -32700 with id null.")
def control_character(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b'"\x01"'))


@check.must("Nesting far beyond reason is message_too_large with id null.")
def too_deep(child: ChildPeer) -> None:
    child.refuses_line("message_too_large", request_with(b"[" * 100_000 + b"]" * 100_000))


@check.must("More structure than bytes justify is message_too_large with id null.")
def too_many_values(child: ChildPeer) -> None:
    child.refuses_line("message_too_large", request_with(b"[" + b"[]," * 2_600_000 + b"[]]"))


@check.must("Brackets and commas inside strings are no structure.")
def brackets_in_strings(child: ChildPeer) -> None:
    text = "[[[[,,,,{{{{" * 200_000
    child.expect_result(len(text), "export default args.length;", args=text)
