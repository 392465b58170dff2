"""agent.ask: what is asked, and what becomes of each kind of answer."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import ServicePeer

check = SERVICE_CHECKS.theme("service-agents", "host-protocol.md: Answering requests")

ASKS = "export default await agent('what?');"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
STRUCTURED = "export default await agent('how many?', { schema: args });"
CAUGHT = "export default await agent('what?').catch((error) => `caught: ${error.message}`);"
RETRIED = "export default await agent('again', { retry: { maxAttempts: 2, backoffMs: 1 } });"


@check.must("agent.ask tells the prompt, the options and what stands in them.")
def asks(service: ServicePeer) -> None:
    source = (
        "phase('Count'); export default await agent('h\u00e9', { label: 'one', model: 'm', schema: args });"
    )
    run_id = service.start(source, args=SCHEMA)
    asked = service.asked().params
    names = ("rootRunId", "runId", "prompt", "label", "phase", "model", "schema", "attempt", "problem")
    expected = [run_id, run_id, "h\u00e9", "one", "Count", "m", SCHEMA, 1, None]
    expect("the params", [asked[name] for name in names], expected)


@check.must("The value of an answer is what agent() becomes.")
def value(service: ServicePeer) -> None:
    service.expect_result("looks good \u2028\0", ASKS, {"value": "looks good \u2028\0"})


@check.must("The text of an answer is what agent() becomes where there is no schema.")
def text(service: ServicePeer) -> None:
    service.expect_result('{"n": 1}', ASKS, {"text": '{"n": 1}'})


@check.must("With a schema the JSON in the text is the answer.")
def text_with_schema(service: ServicePeer) -> None:
    service.expect_result({"n": 1}, STRUCTURED, {"text": '{"n": 1}'}, args=SCHEMA)


@check.must("An answer that does not fit the schema is asked for once more, with what was wrong.")
def wrong_answer(service: ServicePeer) -> None:
    run_id = service.start(STRUCTURED, args=SCHEMA)
    first = service.asked()
    service.answer(first, value={"n": "many"})
    second = service.asked()
    told = second.params
    expect("prompt and attempt", [told["prompt"], told["attempt"]], ["how many?", 1])
    expect(
        "problem and refused are told", [bool(told["problem"]), "many" in (told["refused"] or "")], [True] * 2
    )
    expect("idempotencyKey is another", told["idempotencyKey"] == first.params["idempotencyKey"], False)
    service.answer(second, value={"n": 3})
    expect("the result", service.outcome(run_id).get("result"), {"n": 3})


@check.must("Two answers that do not fit fail the call.")
def wrong_twice(service: ServicePeer) -> None:
    outcome = service.complete(STRUCTURED, {"value": "many"}, {"value": "more"}, args=SCHEMA)
    expect("the verdict", outcome["verdict"], "failed")


@check.must("wrong_answer is asked for once more, too.")
def told_as_wrong(service: ServicePeer) -> None:
    run_id = service.start(STRUCTURED, args=SCHEMA)
    service.refuse(service.asked(), "wrong_answer", "no JSON in it", text="many")
    second = service.asked()
    expect("attempt", [second.params["attempt"], bool(second.params["problem"])], [1, True])
    service.answer(second, value={"n": 4})
    expect("the result", service.outcome(run_id).get("result"), {"n": 4})


def rejects(service: ServicePeer, source: str, kind: str | None) -> None:
    """The call must reject with the message, and nothing more be asked."""
    run_id = service.start(source)
    service.refuse(service.asked(), kind, "the model refused")
    outcome = service.outcome(run_id)
    seen = [outcome["verdict"], "the model refused" in str(outcome.get("result"))]
    expect("verdict, and whether the message is told", seen, ["completed", True])
    expect("requests that were sent", len([what for what, _ in service.heard if what == "asked"]), 1)


@check.must("failed and rejected reject the call with the message.")
def failed(service: ServicePeer) -> None:
    for kind in ("failed", "rejected"):
        service.heard.clear()
        rejects(service, CAUGHT, kind)


@check.must("An error without data, or of an unknown kind, counts as failed.")
def error_without_kind(service: ServicePeer) -> None:
    for kind in (None, "from-the-future"):
        service.heard.clear()
        rejects(service, CAUGHT, kind)


@check.must("A call with retry is asked again after failed, as the next attempt.")
def retried(service: ServicePeer) -> None:
    run_id = service.start(RETRIED)
    first = service.asked()
    service.refuse(first, "failed", "busy")
    second = service.asked()
    seen = [first.params["attempt"], second.params["attempt"], second.params["problem"]]
    expect("attempts and problem", seen, [1, 2, None])
    expect("what is asked is the same", second.params["key"], first.params["key"])
    expect(
        "idempotencyKey is another", second.params["idempotencyKey"] == first.params["idempotencyKey"], False
    )
    service.answer(second, value="yes")
    expect("the result", service.outcome(run_id).get("result"), "yes")


@check.must("option_not_honoured is not tried again, whatever retry says.")
def option_not_honoured(service: ServicePeer) -> None:
    source = RETRIED.replace(" });", " }).catch((error) => error.message);")
    rejects(service, source, "option_not_honoured")


@check.must("unavailable ends the run as agents_unavailable.")
def unavailable(service: ServicePeer) -> None:
    run_id = service.start(ASKS)
    service.refuse(service.asked(), "unavailable", "no credit")
    expect("the verdict", service.outcome(run_id)["verdict"], "agents_unavailable")


@check.must("fault ends the run as host_fault.")
def fault(service: ServicePeer) -> None:
    run_id = service.start(CAUGHT)
    service.refuse(service.asked(), "fault", "a bug")
    expect("the verdict", service.outcome(run_id)["verdict"], "host_fault")


@check.must("A result that does not fit agent.ask.result ends the run as host_fault.")
def misfit(service: ServicePeer) -> None:
    wrong: list[object] = [{}, [], {"value": 1, "tokens": -1}, {"value": 1, "usage": {"input": "3"}}]
    for result in wrong:
        run_id = service.start(CAUGHT)
        service.reply(service.asked().id, result=result)
        expect("the verdict", service.outcome(run_id)["verdict"], "host_fault")


@check.must("An answer with neither or both of result and error ends the run as host_fault, or is dropped.")
def no_answer(service: ServicePeer) -> None:
    run_id = service.start(CAUGHT, options={"timeoutSeconds": 2})
    both = {"result": {"value": "both"}, "error": {"code": -32000, "message": "both"}}
    service.reply(service.asked().id, **both)
    outcome = service.outcome(run_id)
    if outcome["verdict"] not in ("host_fault", "timeout"):
        raise Deviation(f"it took an answer with result and error; the outcome is {outcome}")


@check.must("timeoutMs of a call bounds the attempt: the request is cancelled, and the call fails.")
def attempt_timeout(service: ServicePeer) -> None:
    source = "export default await agent('slow', { timeoutMs: 300 }).catch(() => 'too late');"
    run_id = service.start(source)
    asked = service.asked()
    told = asked.params["deadlineSeconds"]
    expect("deadlineSeconds tells the time", told is not None and 0 < told <= 0.3, True)
    expect("the reason", service.cancelled(asked), "timeout")
    expect("the result", service.outcome(run_id).get("result"), "too late")


@check.must("agentTimeoutSeconds of the run bounds each attempt, too.")
def run_bounds_attempts(service: ServicePeer) -> None:
    source = "export default await agent('slow').catch(() => 'too late');"
    run_id = service.start(source, options={"agentTimeoutSeconds": 0.3})
    expect("the reason", service.cancelled(service.asked()), "timeout")
    expect("the result", service.outcome(run_id).get("result"), "too late")


@check.must("An answer after request.cancelled is dropped.")
def late_answer(service: ServicePeer) -> None:
    source = (
        "const late = await agent('slow', { timeoutMs: 300 }).catch(() => 'too late');"
        "export default [late, await agent('next')];"
    )
    run_id = service.start(source)
    slow = service.asked()
    service.cancelled(slow)
    service.answer(slow, value="late")
    service.refuse(slow, "fault", "later still")
    service.answer(service.asked(), value="in time")
    expect("the result", service.outcome(run_id).get("result"), ["too late", "in time"])


@check.must("A second answer to a request is dropped.")
def second_answer(service: ServicePeer) -> None:
    run_id = service.start("export default [await agent('1'), await agent('2')];")
    first = service.asked()
    service.answer(first, value="a")
    service.answer(first, value="b")
    service.answer(service.asked(), value="c")
    expect("the result", service.outcome(run_id).get("result"), ["a", "c"])


@check.must("Agents are asked at once, and their answers are taken in any order.")
def any_order(service: ServicePeer) -> None:
    run_id = service.start("export default await Promise.all(['a', 'b', 'c'].map((each) => agent(each)));")
    asked = [service.asked() for _ in range(3)]
    expect("prompts", sorted(each.params["prompt"] for each in asked), ["a", "b", "c"])
    for each in reversed(asked):
        service.answer(each, value=each.params["prompt"] * 2)
    expect("the result", service.outcome(run_id).get("result"), ["aa", "bb", "cc"])


@check.must("No more than maxAgents are asked at once; further ones follow as answers come.")
def at_once(service: ServicePeer) -> None:
    source = "export default await Promise.all(['a', 'b', 'c'].map((each) => agent(each)));"
    run_id = service.start(source, options={"maxAgents": 2})
    first, second = service.asked(), service.asked()
    service.state(run_id)
    expect("requests that nobody has answered", 2 + len(service.waiting), 2)
    service.answer(second, value=2)
    third = service.asked()
    for each in (first, third):
        service.answer(each, value=1)
    expect("the verdict", service.outcome(run_id)["verdict"], "completed")


@check.must("No more than maxTotalAgents are asked in a run.")
def in_total(service: ServicePeer) -> None:
    source = (
        "const first = await agent('a'); export default [first, await agent('b').catch(() => 'refused')];"
    )
    service.expect_result(["yes", "refused"], source, {"value": "yes"}, options={"maxTotalAgents": 1})


@check.must("Tokens, cost and model of an answer are counted in the outcome.")
def spent(service: ServicePeer) -> None:
    answer = {"value": 1, "usage": {"input": 1200, "output": 85}, "costUsd": 0.5, "model": "m"}
    usage = service.complete(ASKS, answer)["usage"]
    expect("tokens and cost", [usage["tokens"], usage["costUsd"]], [1285, 0.5])


@check.must("What an error has cost is counted, too.")
def spent_in_vain(service: ServicePeer) -> None:
    run_id = service.start(CAUGHT)
    service.refuse(service.asked(), "failed", usage={"input": 10, "output": 5}, costUsd=0.25)
    usage = service.outcome(run_id)["usage"]
    expect("tokens and cost", [usage["tokens"], usage["costUsd"]], [15, 0.25])


@check.must("Once budgetTokens are spent, no agent is asked.")
def budget(service: ServicePeer) -> None:
    source = (
        "const first = await agent('a'); export default [first, await agent('b').catch(() => 'refused')];"
    )
    answer = {"value": "yes", "tokens": 100}
    service.expect_result(["yes", "refused"], source, answer, options={"budgetTokens": 50})


@check.must("Once maxCostUsd is spent, no agent is asked.")
def ceiling(service: ServicePeer) -> None:
    source = "await agent('a'); export default await agent('b').catch(() => 'refused');"
    run_id = service.start(source, options={"maxCostUsd": 1})
    asked = service.asked()
    expect("costLeftUsd", asked.params["costLeftUsd"], 1)
    service.answer(asked, value="yes", costUsd=2)
    service.outcome(run_id)
    expect("requests that were sent", len([what for what, _ in service.heard if what == "asked"]), 1)


@check.must("agent.progress becomes an event of the run; for an id that does not wait it is dropped.")
def progress(service: ServicePeer) -> None:
    run_id = service.start(ASKS, events=True)
    asked = service.asked()
    service.tell("agent.progress", id=4711, text="of nobody")
    service.tell("agent.progress", id=asked.id, text="reads a.py")
    expect("the text", service.event("agent_progress")["text"], "reads a.py")
    service.answer(asked, value=1)
    service.outcome(run_id)
    expect("words of agents", len([e for e in service.events if e["type"] == "agent_progress"]), 1)


@check.must("An agent that the client does not answer is not asked of it.")
def not_handled(service: ServicePeer) -> None:
    service.initialize("workflow", "sandboxExec", "ask")
    run_id = service.start("export default await agent('who?').catch(() => 'nobody');")
    service.outcome(run_id)
