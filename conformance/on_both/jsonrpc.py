"""The rules of JSON-RPC 2.0."""

from __future__ import annotations

from flowcage.conformance.check import Shared, expect
from flowcage.conformance.conversation import Conversation, line

CHECKS: Shared[Conversation] = Shared()

UNKNOWN = "conformance/none"


def echoes_with_error(peer: Conversation, identifier: str | int) -> None:
    """An error reply must have exactly this id."""
    peer.send(line(UNKNOWN, None, identifier))
    peer.error_for("method_not_found", identifier)


def echoes(peer: Conversation, identifier: str | int) -> None:
    """An error reply and a result must have exactly this id."""
    echoes_with_error(peer, identifier)
    method, params = peer.harmless()
    peer.send(line(method, params, identifier))
    peer.result_for(identifier, method)


@CHECKS.must("An id that is a string is echoed exactly.")
def id_text(peer: Conversation) -> None:
    echoes(peer, "r\u00e9ply/\U0001d11e")


@CHECKS.must("The empty string is an id.")
def id_empty_text(peer: Conversation) -> None:
    echoes(peer, "")


@CHECKS.must('The string "7" is not the integer 7.')
def id_digits(peer: Conversation) -> None:
    echoes(peer, "7")


@CHECKS.must("An id is echoed exactly where it holds NUL, a line separator or a lone surrogate.")
def id_odd_text(peer: Conversation) -> None:
    for identifier in ("\0", "\u2028", "\ud800"):
        echoes_with_error(peer, identifier)


@CHECKS.must("0 is an id.")
def id_zero(peer: Conversation) -> None:
    echoes(peer, 0)


@CHECKS.must("A negative integer is an id.")
def id_negative(peer: Conversation) -> None:
    echoes(peer, -1)


@CHECKS.must("An integer id is echoed exactly where a double would round it.")
def id_beyond_doubles(peer: Conversation) -> None:
    echoes(peer, 9007199254740993)
    echoes_with_error(peer, 10**40)


@CHECKS.must("An id may be used again.")
def id_again(peer: Conversation) -> None:
    peer.send(line(UNKNOWN, None, 73) * 3)
    for _again in range(3):
        peer.error_for("method_not_found", 73)


@CHECKS.must("An id of null is -32600 with id null.")
def id_null(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":null,"method":"poll"}')


@CHECKS.must("An id of 1.0 is -32600 with id null.")
def id_fraction(peer: Conversation) -> None:
    for number in (b"1.0", b"1e0", b"1.5"):
        peer.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":%s,"method":"poll"}' % number)


@CHECKS.must("An id of true is -32600 with id null.")
def id_boolean(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":true,"method":"poll"}')


@CHECKS.must("An id that is a list is -32600 with id null.")
def id_list(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":[1],"method":"poll"}')


@CHECKS.must("An id that is an object is -32600 with id null.")
def id_object(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":{},"method":"poll"}')


@CHECKS.must("A batch is refused as a whole: one -32600 with id null.")
def batch(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b"[" + line(UNKNOWN, None, 7).removesuffix(b"\n") + b"]")


@CHECKS.must("An empty batch is one -32600 with id null.")
def empty_batch(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b"[]")


@CHECKS.must("A line that is JSON and no object is -32600 with id null.")
def scalar(peer: Conversation) -> None:
    for scalar in (b'"poll"', b"1", b"true", b"null"):
        peer.refuses_line("invalid_request", scalar)


@CHECKS.must("An empty object is -32600 with id null.")
def empty_object(peer: Conversation) -> None:
    peer.refuses_line("invalid_request", b"{}")


@CHECKS.must("Another jsonrpc than 2.0 is -32600.")
def other_version(peer: Conversation) -> None:
    for version in (b'"jsonrpc":"1.0",', b'"jsonrpc":2.0,', b""):
        refused_as_request(peer, b'{%s"id":7,"method":"poll"}' % version)


def refused_as_request(peer: Conversation, data: bytes) -> None:
    """The line must be refused with -32600, under id 7 or null: JSON-RPC allows both for such an object."""
    peer.send(data + b"\n")
    reply = peer.next_reply()
    expect("the id is 7 or null", reply["id"] in (7, None), True)
    expect("the error's code", reply.get("error", {}).get("code"), -32600)
    peer.expect_still_serving()


@CHECKS.must("An unknown method is -32601 under the request's id.")
def unknown_method(peer: Conversation) -> None:
    peer.refused("method_not_found", "launch")


@CHECKS.must("Params are by name only: a list is -32602.")
def params_by_position(peer: Conversation) -> None:
    sent = peer.send_request(peer.harmless()[0], ["1.0"])
    peer.error_for("invalid_params", sent)


@CHECKS.must("Params that are no object and no list are -32602, too: null, text, a number.")
def params_scalar(peer: Conversation) -> None:
    for params in (b"null", b'"1.0"', b"5"):
        method = peer.harmless()[0].encode()
        peer.send(b'{"jsonrpc":"2.0","id":7,"method":"%s","params":%s}\n' % (method, params))
        peer.error_for("invalid_params", 7)
