"""Which texts are JSON, and how much structure a line may have."""

from __future__ import annotations

from flowcage.conformance.check import Shared
from flowcage.conformance.conversation import Conversation

CHECKS: Shared[Conversation] = Shared()


def request_with(value: bytes) -> bytes:
    """A request for an unknown method whose params hold this text."""
    return b'{"jsonrpc":"2.0","id":7,"method":"conformance/none","params":{"p":' + value + b"}}"


def refuses_each(peer: Conversation, kind: str, *lines: bytes) -> None:
    """Each of these lines must be refused with id null; the program serves on."""
    for line in lines:
        peer.refuses_line(kind, line)


@CHECKS.must("An unparsable line is -32700 with id null.")
def not_json(peer: Conversation) -> None:
    refuses_each(peer, "parse_error", b"hello", b"   ", b"\0")


@CHECKS.must("Half an object is -32700 with id null.")
def unfinished(peer: Conversation) -> None:
    peer.refuses_line("parse_error", b'{"jsonrpc":"2.0","id":7')


@CHECKS.must("Text after the object is -32700 with id null.")
def trailing_text(peer: Conversation) -> None:
    refuses_each(peer, "parse_error", request_with(b"1") + b" x", request_with(b"1") * 2)


@CHECKS.must("Invalid UTF-8 is -32700 with id null.")
def invalid_utf_8(peer: Conversation) -> None:
    surrogate, overlong = b'"\xed\xa0\x80"', b'"\xc0\xaf"'
    refuses_each(peer, "parse_error", *map(request_with, (b'"\xff"', surrogate, overlong)))


@CHECKS.must("UTF-16 is -32700 with id null.")
def utf_16(peer: Conversation) -> None:
    text = request_with(b"1").decode()
    refuses_each(peer, "parse_error", text.encode("utf-16-le"), text.encode("utf-16"))


@CHECKS.must("A byte-order mark is no JSON: -32700 with id null.")
def byte_order_mark(peer: Conversation) -> None:
    peer.refuses_line("parse_error", b"\xef\xbb\xbf" + request_with(b"1"))


@CHECKS.must("What looser readers take, such as comments and commas at the end, is no JSON.")
def looser_notation(peer: Conversation) -> None:
    quotes = request_with(b"1").replace(b'"', b"'")
    refuses_each(
        peer, "parse_error", request_with(b"1") + b"//", quotes, *map(request_with, (b"[1,]", b"07"))
    )


@CHECKS.must("NaN is not JSON: -32700 with id null.")
def nan(peer: Conversation) -> None:
    peer.refuses_line("parse_error", request_with(b"NaN"))


@CHECKS.must("Infinity is not JSON: -32700 with id null.")
def infinity(peer: Conversation) -> None:
    refuses_each(peer, "parse_error", request_with(b"-Infinity"), request_with(b"Infinity"))


@CHECKS.must("A number that no double holds, such as 1e999, is -32700 with id null.")
def number_too_large(peer: Conversation) -> None:
    refuses_each(peer, "parse_error", *map(request_with, (b"1e999", b"-1e999", b"1" * 5000)))
    peer.refuses_line("parse_error", b'{"jsonrpc":"2.0","id":1e999,"method":"poll"}')


@CHECKS.must("A bare control character in a string is -32700 with id null.")
def control_character(peer: Conversation) -> None:
    peer.refuses_line("parse_error", request_with(b'"\x01"'))


@CHECKS.must("Nesting far beyond reason is message_too_large with id null.")
def too_deep(peer: Conversation) -> None:
    arrays, some = b"[" * 100_000 + b"]" * 100_000, b"[" * 1000 + b"]" * 1000
    objects, open_arrays = b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * (2 << 20)
    refuses_each(peer, "message_too_large", *map(request_with, (arrays, some, objects, open_arrays)))


@CHECKS.must("More structure than bytes justify is message_too_large with id null.")
def too_many_values(peer: Conversation) -> None:
    arrays, numbers = b"[" + b"[]," * 2_600_000 + b"[]]", b"[" + b"0," * 3_000_000 + b"0]"
    refuses_each(peer, "message_too_large", *map(request_with, (arrays, numbers)))
