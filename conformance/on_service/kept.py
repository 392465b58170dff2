"""Runs that are kept in a store: of hosts that ended, questions of runs that are asleep, forks."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import ServicePeer

check = SERVICE_CHECKS.theme("service-store", "host-protocol.md: Reconnecting")

TWO = "export default [await agent('one'), await agent('two')];"


@check.must("What needs a store is no_store with a host that has none.")
def none(service: ServicePeer) -> None:
    if service.initialize()["store"]:
        return
    service.refused("no_store", "run.resume", runId="kept")
    service.refused("no_store", "run.answer", runId="kept", questionId="1", value=1)
    service.refused("no_store", "run.reject", runId="kept", questionId="1", message="no")
    service.refused("no_store", "run.start", source="export default 1;", key="nightly")


def interrupted(service: ServicePeer, run_id: str) -> ServicePeer:
    """A second host on the store of one that was killed in a run between the first answer and the second."""
    service.require_store()
    service.start(TWO, runId=run_id)
    service.answer(service.asked(), value="first")
    service.asked()
    again = service.again()
    service.program.end()
    again.initialize()
    return again


@check.must("A run whose host ended is abandoned; run.resume goes on with it, and asks nothing twice.")
def resumed(service: ServicePeer) -> None:
    again = interrupted(service, "kept")
    abandoned = again.request("run.list", state="abandoned")["runs"]
    expect("abandoned runs", [run["runId"] for run in abandoned], ["kept"])
    answer = again.request("run.resume", runId="kept", start=True)
    expect("the answer", [answer["runId"], answer["way"], answer["started"]], ["kept", "resume", True])
    asked = again.asked()
    expect("prompt and interrupted", [asked.params["prompt"], asked.params["interrupted"]], ["two", True])
    again.answer(asked, value="second")
    expect("the result", again.outcome("kept").get("result"), ["first", "second"])


@check.must("run.resume without start explains what is reused, and starts nothing.")
def explained(service: ServicePeer) -> None:
    again = interrupted(service, "kept")
    answer = again.request("run.resume", runId="kept")
    told = answer["explanation"]
    expect(
        "started, reused and complete",
        [answer["started"], told["reused"], told["isComplete"]],
        [False, 1, False],
    )
    expect("the state", again.state("kept"), "abandoned")


@check.must("A fork is a new run, which asks only what the old one was not answered.")
def forked(service: ServicePeer) -> None:
    service.require_store()
    service.complete(TWO, {"value": 1}, {"value": 2}, runId="old")
    source = TWO.replace("]", ", await agent('three')]")
    answer = service.request("run.resume", runId="old", way="fork", source=source, newRunId="new", start=True)
    expect("the new run", [answer["runId"], answer["way"]], ["new", "fork"])
    asked = service.asked()
    expect("the prompt", asked.params["prompt"], "three")
    service.answer(asked, value=3)
    expect("the result", service.outcome("new").get("result"), [1, 2, 3])


@check.must("A run that has completed is not_resumable.")
def not_resumable(service: ServicePeer) -> None:
    service.require_store()
    service.complete("export default 1;", runId="done")
    service.refused("not_resumable", "run.resume", runId="done", start=True)


@check.must("A second run.start with the same key gives the same run; with another source it is key_in_use.")
def keys(service: ServicePeer) -> None:
    service.require_store()
    source = "export default await agent('once');"
    run_id = service.start(source, key="nightly")
    service.answer(service.asked(), value=1)
    expect("the run", service.start(source, key="nightly"), run_id)
    service.outcome(run_id)
    expect("the run after its end", service.start(source, key="nightly"), run_id)
    service.refused("key_in_use", "run.start", source="export default 2;", key="nightly")
    expect("requests that were sent", len([what for what, _ in service.heard if what == "asked"]), 1)


@check.must("The handle of agent.remember comes with the request that asks again.")
def remembered(service: ServicePeer) -> None:
    service.require_store()
    service.start("export default await agent('long');", runId="long")
    asked = service.asked()
    service.request("agent.remember", id=asked.id, handle="session-4711")
    service.refused("not_waiting", "agent.remember", id=4711, handle="of nobody")
    again = service.again()
    service.program.end()
    again.initialize()
    again.request("run.resume", runId="long", start=True)
    asked = again.asked()
    expect(
        "handle and interrupted",
        [asked.params["handle"], asked.params["interrupted"]],
        ["session-4711", True],
    )


@check.must("run.answer and run.reject answer a question; one whose answer does not fit stays open.")
def answered(service: ServicePeer) -> None:
    service.initialize("agent")
    service.require_store()
    source = (
        "const { ask } = SW.extra; const first = await ask('n?', { schema: args });"
        "export default [first, await ask('m?').catch((error) => error.message)];"
    )
    run_id = service.start(source, args={"type": "integer"}, events=True)
    first = service.event("question_asked")["questionId"]
    service.refused("answer_does_not_fit", "run.answer", runId=run_id, questionId=first, value="many")
    service.request("run.answer", runId=run_id, questionId=first, value=3)
    second = service.event("question_asked", 2)["questionId"]
    service.refused("question_not_open", "run.answer", runId=run_id, questionId=first, value=4)
    service.request("run.reject", runId=run_id, questionId=second, message="not today")
    expect("the result", service.outcome(run_id).get("result"), [3, "not today"])
    service.refused("run_has_ended", "run.answer", runId=run_id, questionId=second, value=1)
