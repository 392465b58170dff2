"""initialize: version and limits."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("initialize", "protocol.md: initialize")

MIB = 1 << 20
DEFAULTS = {
    "memoryBytes": 128 * MIB,
    "stackBytes": MIB,
    "stepTimeoutMs": 5000,
    "cpuSeconds": 60,
    "maxSleepMs": 365 * 24 * 60 * 60 * 1000,
    "maxMessageBytes": 8 * MIB,
}


NAMES = [*DEFAULTS, "addressSpaceBytes", "maxPendingRequests", "maxQueuedBytes"]


def refuses_limit(child: ChildPeer, *values: object) -> None:
    """Each limit with each of these values must be refused by name; `initialize` must work after it."""
    for name in NAMES:
        for value in values:
            limits = {name: value}
            data = child.refused("invalid_params", "initialize", protocolVersion="1.0", limits=limits)
            expect("data.path", data["path"], f"/limits/{name}")
    child.initialize()


@check.must("The answer to version 1.0 is version 1.0.", id="speaks-1.0")
def speaks_1_0(child: ChildPeer) -> None:
    expect("protocolVersion", child.initialize()["protocolVersion"], "1.0")


@check.must("A method that methods names is there.")
def named_methods(child: ChildPeer) -> None:
    child.initialize()
    for name in [name for name in child.methods if name != "shutdown"]:
        reply = child.reply_to(child.send_request(name, {}, f"named {name}"), name)
        kind = reply["error"]["data"]["kind"] if "error" in reply else ""
        expect(f"{name} is method_not_found", kind == "method_not_found", False)


@check.should("server and engine name themselves: neither name nor version is empty.")
def names_itself(child: ChildPeer) -> None:
    result = child.initialize()
    for peer in ("server", "engine"):
        expect(f"{peer} has a name and a version", all(result[peer][n] for n in ("name", "version")), True)


@check.must("A version it does not speak is protocol_version, with those it does.")
def other_version(child: ChildPeer) -> None:
    for version in ("999.0", "2.0", "", "1.0 "):
        data = child.refused("protocol_version", "initialize", protocolVersion=version)
        expect('"1.0" is in data.supported', "1.0" in data["supported"], True)


@check.must("After a refused version, initialize may be sent again.")
def after_other_version(child: ChildPeer) -> None:
    child.send_request("initialize", {"protocolVersion": "998.0"}, "refused")
    child.next_reply()
    child.initialize()


@check.must("Limits that were left out have the defaults of the contract.")
def default_limits(child: ChildPeer) -> None:
    limits = child.initialize()["limits"]
    expect("the limits", {name: limits.get(name) for name in DEFAULTS}, DEFAULTS)


@check.must("limits in the answer are the effective ones: what was asked for.")
def effective_limits(child: ChildPeer) -> None:
    asked = {"memoryBytes": 16 * MIB, "stepTimeoutMs": 1234, "cpuSeconds": 2, "maxSleepMs": 3}
    asked |= {"maxPendingRequests": 5, "maxQueuedBytes": 600, "stackBytes": 256 * 1024}
    asked |= {"maxMessageBytes": 4 * MIB, "addressSpaceBytes": 1 << 40}
    limits = child.initialize(**asked)["limits"]
    expect("the limits", {name: limits.get(name) for name in asked}, asked)


@check.must("maxMessageBytes stands beside the limits with the same value.")
def message_bytes_agree(child: ChildPeer) -> None:
    result = child.initialize(maxMessageBytes=54321)
    expect("both", [result["maxMessageBytes"], result["limits"]["maxMessageBytes"]], [54321, 54321])


@check.must("A limit of 0 or less is invalid_params, by a JSON Pointer to it.")
def limit_zero(child: ChildPeer) -> None:
    refuses_limit(child, 0, -1)


@check.must("A limit of true is invalid_params: it is no integer.")
def limit_boolean(child: ChildPeer) -> None:
    refuses_limit(child, True)


@check.must("A limit of 1.5 is invalid_params, and so is one of 1.0.")
def limit_fraction(child: ChildPeer) -> None:
    refuses_limit(child, 1.5, 1.0)


@check.must('A limit of "1" is invalid_params.')
def limit_text(child: ChildPeer) -> None:
    refuses_limit(child, "1")


@check.must("A limit of null, or of a list, is invalid_params.")
def limit_of_another_type(child: ChildPeer) -> None:
    refuses_limit(child, None, [1])


@check.must("A limit that a double cannot hold exactly is invalid_params.")
def limit_too_large(child: ChildPeer) -> None:
    refuses_limit(child, 2**70)


@check.must("initialize without protocolVersion is invalid_params.")
def no_version(child: ChildPeer) -> None:
    child.refused("invalid_params", "initialize")
    child.initialize()


@check.must("initialize twice is invalid_state.")
def twice(child: ChildPeer) -> None:
    child.initialize()
    child.refused("invalid_state", "initialize", protocolVersion="1.0", isolation="none")
