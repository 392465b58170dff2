"""poll: one event at a time, in the order of the contract."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("poll", "protocol.md: The order of poll")


@check.must("calls-first", "poll reports queued calls, oldest first, before requests.")
def _(child: ChildPeer) -> None:
    child.start('agent("a"); log(1); log(2);\nexport default 3;')
    events = [child.poll(), child.poll(), child.poll()]
    expect("the events' types", [event["type"] for event in events], ["call", "call", "request"])
    expect("the calls", [event["call"]["values"] for event in events[:2]], [[1], [2]])


@check.must("request-repeated", "poll reports the oldest request again until it is taken or resolved.")
def _(child: ChildPeer) -> None:
    child.start('export default [await agent("a"), await agent("b")];')
    expect("the second poll", child.poll(), child.poll())


@check.must("taken-is-gone", "A request that was taken is not reported again: the run is pending.")
def _(child: ChildPeer) -> None:
    child.start('export default await agent("taken");')
    child.take()
    expect("the event", child.poll(), {"type": "pending", "stalled": False})


@check.must("resolved-is-gone", "A request that was resolved before it was taken is not reported again.")
def _(child: ChildPeer) -> None:
    child.start('export default [await agent("early")];')
    child.poll()
    child.resolve("1", "so soon")
    expect("the event", child.poll(), {"type": "complete", "output": {"result": ["so soon"]}})


@check.must("requests-before-completion", "Requests that nobody awaits are reported before completion.")
def _(child: ChildPeer) -> None:
    child.start('agent("left behind");\nexport default "done";')
    expect("the first event", child.poll()["type"], "request")
    child.take()
    expect("the event after take", child.poll()["type"], "complete")


@check.must("complete-repeated", "Once complete, further polls repeat it.")
def _(child: ChildPeer) -> None:
    child.start("export default { once: 1 };")
    complete = {"type": "complete", "output": {"result": {"once": 1}}}
    expect("the polls", [child.poll(), child.poll(), child.poll()], [complete] * 3)


@check.must("stalled", "Nothing queued, nothing outstanding, never done: pending with stalled true.")
def _(child: ChildPeer) -> None:
    child.start("export default new Promise(() => {});")
    expect("the event", child.poll(), {"type": "pending", "stalled": True})
