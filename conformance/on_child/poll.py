"""poll: one event at a time, in the order of the contract."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("poll", "protocol.md: The order of poll")


@check.must("poll reports queued calls, oldest first, before requests.")
def calls_first(child: ChildPeer) -> None:
    child.start('agent("a"); log(1); log(2);\nexport default 3;')
    events = [child.poll(), child.poll(), child.poll()]
    expect("the events' types", [event["type"] for event in events], ["call", "call", "request"])
    expect("the calls", [event["call"]["values"] for event in events[:2]], [[1], [2]])


@check.must("poll reports the oldest request again until it is taken or resolved.")
def request_repeated(child: ChildPeer) -> None:
    child.start('export default [await agent("a"), await agent("b")];')
    expect("the second poll", child.poll(), child.poll())


@check.must("A request that was taken is not reported again: the run is pending.")
def taken_is_gone(child: ChildPeer) -> None:
    child.start('export default await agent("taken");')
    child.take()
    expect("the event", child.poll(), {"type": "pending", "stalled": False})


@check.must("A request that was resolved before it was taken is not reported again.")
def resolved_is_gone(child: ChildPeer) -> None:
    child.start('export default [await agent("early")];')
    child.poll()
    child.resolve("1", "so soon")
    expect("the event", child.poll(), {"type": "complete", "output": {"result": ["so soon"]}})


@check.must("Requests that nobody awaits are reported before completion.")
def requests_before_completion(child: ChildPeer) -> None:
    child.start('agent("left behind");\nexport default "done";')
    expect("the first event", child.poll()["type"], "request")
    child.take()
    expect("the event after take", child.poll()["type"], "complete")


@check.must("Once complete, further polls repeat it.")
def complete_repeated(child: ChildPeer) -> None:
    child.start("export default { once: 1 };")
    complete = {"type": "complete", "output": {"result": {"once": 1}}}
    expect("the polls", [child.poll(), child.poll(), child.poll()], [complete] * 3)


@check.must("Nothing queued, nothing outstanding, never done: pending with stalled true.")
def stalled(child: ChildPeer) -> None:
    child.start("export default new Promise(() => {});")
    expect("the event", child.poll(), {"type": "pending", "stalled": True})
