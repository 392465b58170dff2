"""run.event: to whom, which, in which order."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import ServicePeer

check = SERVICE_CHECKS.theme("service-events", "host-protocol.md: A run")

MANY = 30_000  # more than a host keeps for a client
SOURCE = "phase('One'); log('hello', 1); export default await agent('what?');"


def types(service: ServicePeer) -> list[str]:
    """The types of the events that came."""
    return [event["type"] for event in service.events]


@check.must("Events come where they were asked for, and nowhere else.")
def asked_for(service: ServicePeer) -> None:
    service.complete(SOURCE, {"value": 1})
    service.expect_still_serving()
    expect("events of a run without", types(service), [])
    service.complete(SOURCE, {"value": 1}, events=True)
    expect("there are events", bool(service.events), True)


@check.must("events of initialize holds for runs that do not say; run.start has the last word.")
def by_default(service: ServicePeer) -> None:
    service.initialize(events=True)
    service.complete("export default 1;", events=False)
    service.expect_still_serving()
    expect("events of a run without", types(service), [])
    service.complete("export default 1;")
    expect("there are events", bool(service.events), True)


@check.must("Events tell the run in order, from started to ended, and ended comes before run.wait's answer.")
def in_order(service: ServicePeer) -> None:
    run_id = service.start(SOURCE, events=True)
    waiting = service.wait(run_id)
    service.answer(service.asked(), value=1)
    service.outcome_for(waiting, run_id)
    seen = types(service)
    known = ("started", "phase", "log", "agent_queued", "agent_started", "agent_completed", "ended")
    expect("the events", [kind for kind in seen if kind in known], list(known))
    numbers = [event["seq"] for event in service.events]
    expect("seq rises", numbers == sorted(set(numbers)), True)
    expect("runId", {event["runId"] for event in service.events} == {run_id}, True)
    told = [what if what != "event" else kind for what, kind in service.heard]
    expect(
        "ended comes before the last answer",
        told.index("ended") < len(told) - 1 - told[::-1].index("answer"),
        True,
    )


@check.must("The answer to run.start comes before the first event and the first request of the run.")
def after_the_answer(service: ServicePeer) -> None:
    service.initialize()
    started = service.send_request("run.start", {"source": SOURCE, "events": True})
    service.asked()
    service.event("log")
    answered = service.heard.index(("answer", started))
    first = next(at for at, (what, _) in enumerate(service.heard) if what in ("event", "asked"))
    expect("the answer is first", answered < first, True)


@check.must("Events of a child workflow come under the run that was started, with ids of their own.")
def of_a_child(service: ServicePeer) -> None:
    run_id = service.start("export default await workflow('inner');", events=True)
    service.answer(service.asked("workflow.get"), source="log('inside'); export default 1;")
    service.outcome(run_id)
    (logged,) = [event for event in service.events if event["type"] == "log"]
    expect("rootRunId", logged["rootRunId"], run_id)
    expect("it has the run's own id", logged["runId"] == run_id, False)


@check.must("With withholdValues events leave out what agents answered.")
def withheld(service: ServicePeer) -> None:
    service.complete(SOURCE, {"value": "secret"}, events=True, options={"withholdValues": True})
    expect("a value is told", "value" in service.event("agent_completed"), False)


@check.must("Events that a slow client misses are counted by a gap; ended is never dropped.")
def gaps(service: ServicePeer) -> None:
    source = f"for (let n = 0; n < {MANY}; n += 1) log(n); export default 1;"
    service.complete(source, events=True)
    told = [event for event in service.events if event["type"] != "gap"]
    dropped = sum(event["dropped"] for event in service.events if event["type"] == "gap")
    expect("the last event", told[-1]["type"], "ended")
    expect("events that came or were counted", len(told) + dropped, told[-1]["seq"])
