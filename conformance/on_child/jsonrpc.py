"""The rules of JSON-RPC 2.0."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer, line, notification_line

check = CHILD_CHECKS.theme("json-rpc", "protocol.md: JSON-RPC")

UNKNOWN = "conformance/none"


def echoes_with_error(child: ChildPeer, identifier: str | int) -> None:
    """An error reply must have exactly this id."""
    child.send(line(UNKNOWN, None, identifier))
    child.error_for("method_not_found", identifier)


def echoes(child: ChildPeer, identifier: str | int) -> None:
    """An error reply and a result must have exactly this id."""
    echoes_with_error(child, identifier)
    child.send(line("initialize", {"protocolVersion": "1.0", "isolation": "none"}, identifier))
    child.result_for(identifier, "initialize")


@check.must("An id that is a string is echoed exactly.")
def id_text(child: ChildPeer) -> None:
    echoes(child, "r\u00e9ply/\U0001d11e")


@check.must("The empty string is an id.")
def id_empty_text(child: ChildPeer) -> None:
    echoes(child, "")


@check.must('The string "7" is not the integer 7.')
def id_digits(child: ChildPeer) -> None:
    echoes(child, "7")


@check.must("An id is echoed exactly where it holds NUL, a line separator or a lone surrogate.")
def id_odd_text(child: ChildPeer) -> None:
    for identifier in ("\0", "\u2028", "\ud800"):
        echoes_with_error(child, identifier)


@check.must("0 is an id.")
def id_zero(child: ChildPeer) -> None:
    echoes(child, 0)


@check.must("A negative integer is an id.")
def id_negative(child: ChildPeer) -> None:
    echoes(child, -1)


@check.must("An integer id is echoed exactly where a double would round it.")
def id_beyond_doubles(child: ChildPeer) -> None:
    echoes(child, 9007199254740993)
    echoes_with_error(child, 10**40)


@check.must("An id may be used again.")
def id_again(child: ChildPeer) -> None:
    child.send(line(UNKNOWN, None, 73) * 3)
    for _again in range(3):
        child.error_for("method_not_found", 73)


@check.must("An id of null is -32600 with id null.")
def id_null(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":null,"method":"poll"}')


@check.must("An id of 1.0 is -32600 with id null.")
def id_fraction(child: ChildPeer) -> None:
    for number in (b"1.0", b"1e0", b"1.5"):
        child.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":%s,"method":"poll"}' % number)


@check.must("An id of true is -32600 with id null.")
def id_boolean(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":true,"method":"poll"}')


@check.must("An id that is a list is -32600 with id null.")
def id_list(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":[1],"method":"poll"}')


@check.must("An id that is an object is -32600 with id null.")
def id_object(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b'{"jsonrpc":"2.0","id":{},"method":"poll"}')


@check.must("A batch is refused as a whole: one -32600 with id null.")
def batch(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b"[" + line(UNKNOWN, None, 7).removesuffix(b"\n") + b"]")


@check.must("An empty batch is one -32600 with id null.")
def empty_batch(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b"[]")


@check.must("A line that is JSON and no object is -32600 with id null.")
def scalar(child: ChildPeer) -> None:
    for scalar in (b'"poll"', b"1", b"true", b"null"):
        child.refuses_line("invalid_request", scalar)


@check.must("An empty object is -32600 with id null.")
def empty_object(child: ChildPeer) -> None:
    child.refuses_line("invalid_request", b"{}")


@check.must("Another jsonrpc than 2.0 is -32600.")
def other_version(child: ChildPeer) -> None:
    for version in (b'"jsonrpc":"1.0",', b'"jsonrpc":2.0,', b""):
        refused_as_request(child, b'{%s"id":7,"method":"poll"}' % version)


@check.must("A request without a method is -32600.")
def no_method(child: ChildPeer) -> None:
    for method in (b"", b',"method":5', b',"result":{}'):
        refused_as_request(child, b'{"jsonrpc":"2.0","id":7%s}' % method)


def refused_as_request(child: ChildPeer, data: bytes) -> None:
    """The line must be refused with -32600, under id 7 or null: JSON-RPC allows both for such an object."""
    child.send(data + b"\n")
    reply = child.next_reply()
    expect("the id is 7 or null", reply["id"] in (7, None), True)
    expect("the error's code", reply.get("error", {}).get("code"), -32600)
    child.expect_still_serving()


@check.must("An unknown method is -32601 under the request's id.")
def unknown_method(child: ChildPeer) -> None:
    child.refused("method_not_found", "launch")


@check.must("Params are by name only: a list is -32602.")
def params_by_position(child: ChildPeer) -> None:
    sent = child.send_request("initialize", ["1.0"])
    child.error_for("invalid_params", sent)


@check.must("Params that are no object and no list are -32602, too: null, text, a number.")
def params_scalar(child: ChildPeer) -> None:
    for params in (b"null", b'"1.0"', b"5"):
        child.send(b'{"jsonrpc":"2.0","id":7,"method":"initialize","params":%s}\n' % params)
        child.error_for("invalid_params", 7)


@check.must("invalid_params names the member by JSON Pointer, what is wrong, and the schema.")
def invalid_params(child: ChildPeer) -> None:
    wrong: dict[str, dict[str, object]] = {
        "/protocolVersion": {"protocolVersion": 1},
        "/limits": {"limits": []},
        "/limits/cpuSeconds": {"limits": {"cpuSeconds": "1"}},
        "/client": {"client": "kit"},
        "/client/name": {"client": {"name": 1, "version": "1"}},
    }
    for path, params in wrong.items():
        data = child.refused("invalid_params", "initialize", **{"protocolVersion": "1.0", **params})
        expect("data.path", data["path"], path)


@check.must("A notification is never answered.")
def notification(child: ChildPeer) -> None:
    child.send(notification_line(UNKNOWN, {}) + notification_line("poll", {}))
    child.expect_still_serving()


@check.must("A notification is not answered either where its params are wrong.")
def bad_notification(child: ChildPeer) -> None:
    child.send(notification_line("initialize", []) + notification_line("resolve", {}))
    child.expect_still_serving()


@check.must("A notification is carried out.")
def notification_carried_out(child: ChildPeer) -> None:
    child.initialize()
    child.send(notification_line("start", {"source": "export default 5;"}))
    expect("the result", child.result(), 5)


@check.must("A notification that fails is not answered either; the next message is.")
def failing_notification(child: ChildPeer) -> None:
    child.initialize()
    child.send(notification_line("start", {"source": "export default (;"}))
    child.refused("syntax", "poll")


@check.must("Unknown members are ignored, in the envelope and in params.")
def unknown_members(child: ChildPeer) -> None:
    params = '"params":{"protocolVersion":"1.0","isolation":"none","x":[],"limits":{"x":1},'
    params += '"client":{"name":"kit","version":"1","x":{}}}'
    child.send(f'{{"jsonrpc":"2.0","x":null,"id":"u","method":"initialize",{params}}}\n'.encode())
    child.result_for("u", "initialize")
    budget = {"total": 1, "spent": 0, "x": 1}
    child.request("start", source="export default await agent('x');", budget=budget, x=1)
    child.request("drain", x={"y": 1})
    child.settle("1", {"type": "ok", "value": 2, "x": 1})
    expect("the result", child.result(), 2)
