"""The rules of JSON-RPC 2.0, as far as a message of the contract must show them."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.conversation import notification_line
from flowcage.conformance.on_both import jsonrpc
from flowcage.conformance.on_both.jsonrpc import UNKNOWN, refused_as_request
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("json-rpc", "protocol.md: JSON-RPC")
jsonrpc.CHECKS.register(check)


@check.must("A request without a method is -32600.")
def no_method(child: ChildPeer) -> None:
    for method in (b"", b',"method":5', b',"result":{}'):
        refused_as_request(child, b'{"jsonrpc":"2.0","id":7%s}' % method)


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
