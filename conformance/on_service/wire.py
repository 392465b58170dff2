"""Framing, JSON and JSON-RPC, as in the child's contract, and what two sides that both ask need beside."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.conversation import line, notification_line
from flowcage.conformance.on_both import framing, jsonrpc, jsontext
from flowcage.conformance.on_both.framing import padded
from flowcage.conformance.on_both.jsonrpc import UNKNOWN, refused_as_request
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import ServicePeer

SECTION = "host-protocol.md: The connection"
check = SERVICE_CHECKS.theme("service-framing", SECTION)
framing.CHECKS.register(check, ServicePeer.initialize)
jsontext.CHECKS.register(SERVICE_CHECKS.theme("service-json", SECTION), ServicePeer.initialize)

TEXT = "a\u2028b\u2029c\u0085d\U0001d11e\ne"


@check.must("Only \\n ends a line, in both directions: U+2028, U+2029 and U+0085 are content.")
def only_newline_ends_a_line(service: ServicePeer) -> None:
    service.initialize()
    params = {"source": "export default [args, await agent(args)];", "args": TEXT, "runId": "separators"}
    service.result_for(service.send_request("run.start", params, raw=True), "run.start")
    asked = service.asked()
    expect("the prompt", asked.params["prompt"], TEXT)
    service.answer(asked, value=TEXT)
    expect("the result", service.outcome("separators").get("result"), [TEXT, TEXT])


@check.must("A line of exactly maxMessageBytes, its newline not counted, is read.")
def line_of_the_maximum(service: ServicePeer) -> None:
    service.send(padded(service.initialize()["maxMessageBytes"]) + b"\n")
    service.error_for("method_not_found", 7)


@check.must("A longer line is message_too_large with id null, however long it is, and skipped.")
def line_too_long(service: ServicePeer) -> None:
    most = service.initialize()["maxMessageBytes"]
    service.refuses_line("message_too_large", padded(most + 1))
    service.refuses_line("message_too_large", b"x" * (2 * most))


check = SERVICE_CHECKS.theme("service-json-rpc", SECTION)
jsonrpc.CHECKS.register(check, ServicePeer.initialize)


@check.must("A line with an id and neither a method, nor a result or an error, is -32600.")
def no_method(service: ServicePeer) -> None:
    service.initialize()
    for method in (b"", b',"method":5'):
        refused_as_request(service, b'{"jsonrpc":"2.0","id":7%s}' % method)


@check.must("invalid_params names the member by JSON Pointer.")
def invalid_params(service: ServicePeer) -> None:
    service.initialize()
    wrong: dict[str, dict[str, object]] = {
        "/source": {"source": 1},
        "/limits": {"limits": []},
        "/options/maxAgents": {"options": {"maxAgents": 0}},
        "/options/timeoutSeconds": {"options": {"timeoutSeconds": "1"}},
        "/events": {"events": 1},
    }
    for path, params in wrong.items():
        data = service.refused("invalid_params", "run.start", **{"source": "export default 1;", **params})
        expect("data.path", data["path"], path)


@check.must("A notification is never answered, whatever is wrong with it.")
def notification(service: ServicePeer) -> None:
    service.initialize()
    service.send(notification_line(UNKNOWN, {}) + notification_line("run.get", {}))
    service.send(notification_line("run.wait", {"runId": "none"}) + notification_line("agent.progress", []))
    service.expect_still_serving()
    expect("answers", [heard for heard in service.heard if heard[0] == "answer"][1:-1], [])


@check.must("Unknown members are ignored, in the envelope and in params.")
def unknown_members(service: ServicePeer) -> None:
    params = '"params":{"protocolVersion":"1.0","x":[],"clientInfo":{"name":"kit","version":"1","x":{}}}'
    service.send(f'{{"jsonrpc":"2.0","x":null,"id":"u","method":"initialize",{params}}}\n'.encode())
    service.info = service.result_for("u", "initialize")
    source = "export default 5;"
    run_id = service.start(source, x=1, limits={"x": 1}, options={"x": 1, "timeoutSeconds": 60})
    expect("the result", service.outcome(run_id).get("result"), 5)


@check.must("Each side has ids of its own: an answer by the id of a request of the client's is no matter.")
def ids_of_each_side(service: ServicePeer) -> None:
    run_id = service.start("export default await agent('same id?');")
    asked = service.asked()
    service.send(line("run.wait", {"runId": run_id}, asked.id))
    service.answer(asked, value="yes")
    expect("the result", service.outcome_for(asked.id, run_id).get("result"), "yes")


@check.must("An answer to an id that nothing waits for is dropped, and nothing is sent for it.")
def answers_to_nothing(service: ServicePeer) -> None:
    service.initialize()
    for identifier in (4711, "nothing", -1):
        service.reply(identifier, result={"value": 1})
        service.reply(identifier, error={"code": -32000, "message": "no"})
    service.expect_still_serving()
    answers = [identifier for what, identifier in service.heard if what == "answer"]
    expect("how many answers there are", len(answers), 2)


@check.must("Answers come in any order: a request that waits holds up no other.")
def waiting_holds_up_nothing(service: ServicePeer) -> None:
    run_id = service.start("export default await agent('hold');")
    waiting = service.wait(run_id)
    asked = service.asked()
    expect("the state", service.state(run_id), "running")
    service.answer(asked, value=1)
    expect("the result", service.outcome_for(waiting, run_id).get("result"), 1)
