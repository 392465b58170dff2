"""Which texts are JSON, and how much structure a line may have."""

from __future__ import annotations

from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("json", "protocol.md: Framing")


def request_with(value: bytes) -> bytes:
    """A request for an unknown method whose params hold this text."""
    return b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":' + value + b"}}"


def refuses_each(child: ChildPeer, kind: str, *lines: bytes) -> None:
    """Each of these lines must be refused with id null; the child serves on."""
    for line in lines:
        child.refuses_line(kind, line)


@check.must("An unparsable line is -32700 with id null.")
def not_json(child: ChildPeer) -> None:
    refuses_each(child, "parse_error", b"hello", b"   ", b"\0")


@check.must("Half an object is -32700 with id null.")
def unfinished(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b'{"jsonrpc":"2.0","id":7')


@check.must("Text after the object is -32700 with id null.")
def trailing_text(child: ChildPeer) -> None:
    refuses_each(child, "parse_error", request_with(b"1") + b" x", request_with(b"1") * 2)


@check.must("Invalid UTF-8 is -32700 with id null.")
def invalid_utf_8(child: ChildPeer) -> None:
    surrogate, overlong = b'"\xed\xa0\x80"', b'"\xc0\xaf"'
    refuses_each(child, "parse_error", *map(request_with, (b'"\xff"', surrogate, overlong)))


@check.must("UTF-16 is -32700 with id null.")
def utf_16(child: ChildPeer) -> None:
    text = request_with(b"1").decode()
    refuses_each(child, "parse_error", text.encode("utf-16-le"), text.encode("utf-16"))


@check.must("A byte-order mark is no JSON: -32700 with id null.")
def byte_order_mark(child: ChildPeer) -> None:
    child.refuses_line("parse_error", b"\xef\xbb\xbf" + request_with(b"1"))


@check.must("What looser readers take, such as comments and commas at the end, is no JSON.")
def looser_notation(child: ChildPeer) -> None:
    quotes = request_with(b"1").replace(b'"', b"'")
    refuses_each(
        child, "parse_error", request_with(b"1") + b"//", quotes, *map(request_with, (b"[1,]", b"07"))
    )


@check.must("NaN is not JSON: -32700 with id null.")
def nan(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b"NaN"))


@check.must("Infinity is not JSON: -32700 with id null.")
def infinity(child: ChildPeer) -> None:
    refuses_each(child, "parse_error", request_with(b"-Infinity"), request_with(b"Infinity"))


@check.must("A number that no double holds, such as 1e999, is -32700 with id null.")
def number_too_large(child: ChildPeer) -> None:
    refuses_each(child, "parse_error", *map(request_with, (b"1e999", b"-1e999", b"1" * 5000)))
    child.refuses_line("parse_error", b'{"jsonrpc":"2.0","id":1e999,"method":"poll"}')


@check.must("A bare control character in a string is -32700 with id null.")
def control_character(child: ChildPeer) -> None:
    child.refuses_line("parse_error", request_with(b'"\x01"'))


@check.must("Nesting far beyond reason is message_too_large with id null.")
def too_deep(child: ChildPeer) -> None:
    arrays, some = b"[" * 100_000 + b"]" * 100_000, b"[" * 1000 + b"]" * 1000
    objects, open_arrays = b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * (2 << 20)
    refuses_each(child, "message_too_large", *map(request_with, (arrays, some, objects, open_arrays)))


@check.must("More structure than bytes justify is message_too_large with id null.")
def too_many_values(child: ChildPeer) -> None:
    arrays, numbers = b"[" + b"[]," * 2_600_000 + b"[]]", b"[" + b"0," * 3_000_000 + b"0]"
    refuses_each(child, "message_too_large", *map(request_with, (arrays, numbers)))


@check.must("Brackets and commas inside strings are no structure.")
def brackets_in_strings(child: ChildPeer) -> None:
    text = "[[[[,,,,{{{{" * 200_000
    child.expect_result(len(text), "export default args.length;", args=text)
