"""initialize, and what may come before it."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.conversation import notification_line
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import VERSION, ServicePeer

check = SERVICE_CHECKS.theme("service-initialize", "host-protocol.md: The connection")

# Without these no run is carried out.
NEEDED = {"initialize", "run.start", "run.wait", "run.get", "run.list", "run.cancel", "shutdown"}


@check.must("The answer to version 1.0 is version 1.0.", id="speaks-1.0")
def speaks_1_0(service: ServicePeer) -> None:
    expect("protocolVersion", service.initialize()["protocolVersion"], VERSION)


@check.must("A method that methods names is there.")
def named_methods(service: ServicePeer) -> None:
    for name in [name for name in service.initialize()["methods"] if name != "shutdown"]:
        reply = service.reply_to(service.send_request(name, {}, f"named {name}"), name)
        kind = reply["error"]["data"]["kind"] if "error" in reply else ""
        expect(f"{name} is method_not_found", kind == "method_not_found", False)


@check.must("methods names what every host has: starting, waiting, looking, cancelling, shutdown.")
def needed_methods(service: ServicePeer) -> None:
    expect("missing", sorted(NEEDED - set(service.initialize()["methods"])), [])


@check.should("hostInfo names the host: neither name nor version is empty.")
def names_itself(service: ServicePeer) -> None:
    info = service.initialize()["hostInfo"]
    expect("it has a name and a version", bool(info["name"] and info["version"]), True)


@check.must("A version it does not speak is protocol_version, with those it does.")
def other_version(service: ServicePeer) -> None:
    for version in ("999.0", "2.0", "", "1.0 "):
        data = service.refused("protocol_version", "initialize", protocolVersion=version)
        expect('"1.0" is in data.supported', "1.0" in data["supported"], True)


@check.must("After a refused version, initialize may be sent again.")
def after_other_version(service: ServicePeer) -> None:
    service.refused("protocol_version", "initialize", protocolVersion="998.0")
    service.initialize()


@check.must("initialize without protocolVersion is invalid_params.")
def no_version(service: ServicePeer) -> None:
    service.refused("invalid_params", "initialize")
    service.initialize()


@check.must("A handler that is none is invalid_params.")
def unknown_handler(service: ServicePeer) -> None:
    for handlers in (["agents"], [1], "agent"):
        service.refused("invalid_params", "initialize", protocolVersion=VERSION, handlers=handlers)
    service.initialize()


@check.must("Before initialize every other request is invalid_state.")
def first(service: ServicePeer) -> None:
    service.refused("invalid_state", "run.start", source="export default 1;")
    for method in ("run.wait", "run.get", "run.cancel"):
        service.refused("invalid_state", method, runId="early")
    service.refused("invalid_state", "run.list")
    service.initialize()


@check.must("initialize after one that succeeded is invalid_state.")
def twice(service: ServicePeer) -> None:
    service.initialize()
    service.refused("invalid_state", "initialize", protocolVersion=VERSION)


@check.must("Before initialize notifications are dropped.")
def early_notification(service: ServicePeer) -> None:
    service.send(notification_line("agent.progress", {"id": 1, "text": "early"}))
    service.send(notification_line("conformance/none", {}))
    service.initialize()
    service.expect_still_serving()
    expect("how many answers there are", len(service.heard), 2)


@check.must("initialize, run.start and run.wait may be sent without waiting.")
def pipelined(service: ServicePeer) -> None:
    hello = service.send_request("initialize", {"protocolVersion": VERSION})
    started = service.send_request("run.start", {"source": "export default 7;", "runId": "piped"})
    waiting = service.wait("piped")
    service.result_for(hello, "initialize")
    service.result_for(started, "run.start")
    expect("the result", service.outcome_for(waiting, "piped").get("result"), 7)
