"""The state table: which message is allowed in which state."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("states", "protocol.md: Lifecycle")

SOURCE = "export default 1;"


@check.must("start before initialize is invalid_state.")
def start_first(child: ChildPeer) -> None:
    child.refused("invalid_state", "start", source=SOURCE)


@check.must("drain before initialize is invalid_state.")
def drain_first(child: ChildPeer) -> None:
    child.refused("invalid_state", "drain")


@check.must("poll, take and resolve before initialize are invalid_state.")
def nothing_first(child: ChildPeer) -> None:
    child.refused("invalid_state", "poll")
    child.refused("invalid_state", "take")
    child.refused("invalid_state", "resolve", id="1", resolution={"type": "ok_undefined"})
    child.expect_result(1, SOURCE)


@check.must("poll before start is invalid_state.")
def poll_before_start(child: ChildPeer) -> None:
    child.initialize()
    child.refused("invalid_state", "poll")


@check.must("take before start is invalid_state.")
def take_before_start(child: ChildPeer) -> None:
    child.initialize()
    child.refused("invalid_state", "take")


@check.must("drain before start is invalid_state.")
def drain_before_start(child: ChildPeer) -> None:
    child.initialize()
    child.refused("invalid_state", "drain")
    child.expect_result(1, SOURCE)


@check.must("resolve before start is invalid_state.")
def resolve_before_start(child: ChildPeer) -> None:
    child.initialize()
    child.refused("invalid_state", "resolve", id="1", resolution={"type": "ok_undefined"})


@check.must("initialize after start is invalid_state, and the run goes on.")
def initialize_after_start(child: ChildPeer) -> None:
    child.start(SOURCE)
    child.refused("invalid_state", "initialize", protocolVersion="1.0")
    expect("the result", child.result(), 1)


@check.must("A second start is invalid_state: a child runs one workflow.")
def start_twice(child: ChildPeer) -> None:
    child.start(SOURCE)
    child.refused("invalid_state", "start", source="export default 2;")


@check.must("start after a failed start is invalid_state.")
def start_after_failure(child: ChildPeer) -> None:
    child.initialize()
    child.send_request("start", {"source": "export default (;"}, "failed")
    child.next_reply()
    child.refused("invalid_state", "start", source=SOURCE)


@check.must("A message that was out of order changes nothing.")
def refusal_changes_nothing(child: ChildPeer) -> None:
    child.send_request("drain", {}, "early")
    child.next_reply()
    child.expect_result(1, SOURCE)


@check.must("invalid_state tells in data.state where the child stands.")
def tells_the_state(child: ChildPeer) -> None:
    data = child.refused("invalid_state", "resolve", id="state", resolution={"type": "ok_undefined"})
    expect("data.state", bool(data["state"]), True)
