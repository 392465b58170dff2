"""workflow.get, sandbox.exec and question.ask."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import EVERY_HANDLER, ServicePeer

check = SERVICE_CHECKS.theme("service-requests", "host-protocol.md: Answering requests")

CHILD = "export default await workflow('gate', { strict: true }).catch((error) => error.message);"
EXEC = "export default await SW.sandbox.exec('tests', args).catch((error) => error.message);"
QUESTION = "export default await SW.extra.ask('Deploy?').catch((error) => error.message);"
PROGRAM = {"command": "make", "args": ["test"]}


@check.must("workflow.get asks for the source of a child workflow, which is run with the args.")
def child_workflow(service: ServicePeer) -> None:
    run_id = service.start(CHILD, sourceName="parent.js")
    asked = service.asked("workflow.get")
    names = ("rootRunId", "runId", "ref", "args", "sourceName", "depth")
    expected = [run_id, run_id, "gate", {"strict": True}, "parent.js", 0]
    expect("the params", [asked.params.get(name) for name in names], expected)
    service.answer(asked, source="export default [args.strict, await agent('inner')];", sourceName="gate.js")
    inner = service.asked()
    of_child = [inner.params["rootRunId"] == run_id, inner.params["runId"] == run_id]
    expect("rootRunId and runId are those of the run", of_child, [True, False])
    service.answer(inner, value="ok")
    expect("the result", service.outcome(run_id).get("result"), [True, "ok"])


@check.must("workflow.get may be answered with a value in place of a source, and with other args.")
def in_place_of_a_child(service: ServicePeer) -> None:
    run_id = service.start(CHILD)
    service.answer(service.asked("workflow.get"), value=42)
    expect("the result", service.outcome(run_id).get("result"), 42)
    run_id = service.start(CHILD)
    service.answer(service.asked("workflow.get"), source="export default args;", args=[7])
    expect("the result", service.outcome(run_id).get("result"), [7])


@check.must("sandbox.exec asks with profile and program, and its value is what the call becomes.")
def sandbox_exec(service: ServicePeer) -> None:
    run_id = service.start(EXEC, args=PROGRAM)
    asked = service.asked("sandbox.exec")
    expect("the params", [asked.params["profile"], asked.params["program"]], ["tests", PROGRAM])
    service.answer(asked, value={"status": 0})
    expect("the result", service.outcome(run_id).get("result"), {"status": 0})


@check.must("question.ask asks with the question, and its value is what ask() becomes.")
def question(service: ServicePeer) -> None:
    run_id = service.start(QUESTION)
    asked = service.asked("question.ask")
    expect("the params", [asked.params["rootRunId"], asked.params["question"]], [run_id, "Deploy?"])
    service.answer(asked, value="yes")
    expect("the result", service.outcome(run_id).get("result"), "yes")


@check.must("A question whose answer does not fit is put once more, with problem.")
def wrong_answer(service: ServicePeer) -> None:
    run_id = service.start(
        "export default await SW.extra.ask('How many?', { schema: args });", args={"type": "integer"}
    )
    first = service.asked("question.ask")
    expect(
        "schema and problem", [first.params["schema"], first.params["problem"]], [{"type": "integer"}, None]
    )
    service.answer(first, value="many")
    second = service.asked("question.ask")
    seen = [second.params["questionId"], bool(second.params["problem"])]
    expect("questionId and problem", seen, [first.params["questionId"], True])
    service.answer(second, value=3)
    expect("the result", service.outcome(run_id).get("result"), 3)


@check.must("An error of the client rejects workflow(), SW.sandbox.exec() and ask() with its message.")
def refused(service: ServicePeer) -> None:
    for method, source in (("workflow.get", CHILD), ("sandbox.exec", EXEC), ("question.ask", QUESTION)):
        run_id = service.start(source, args=PROGRAM)
        service.refuse(service.asked(method), "rejected", "not allowed here")
        result = service.outcome(run_id).get("result")
        expect(f"{method}: the message is told", "not allowed here" in str(result), True)


@check.must("fault, and a result that does not fit its schema, end the run as host_fault.")
def fault(service: ServicePeer) -> None:
    for method, source in (("workflow.get", CHILD), ("sandbox.exec", EXEC), ("question.ask", QUESTION)):
        run_id = service.start(source, args=PROGRAM)
        service.refuse(service.asked(method), "fault", "a bug")
        expect(f"{method}: the verdict", service.outcome(run_id)["verdict"], "host_fault")
        run_id = service.start(source, args=PROGRAM)
        service.answer(service.asked(method))
        expect(f"{method}: the verdict of a misfit", service.outcome(run_id)["verdict"], "host_fault")


@check.must("A kind of request that the client does not answer is not sent to it; workflow() rejects.")
def not_handled(service: ServicePeer) -> None:
    service.initialize("agent")
    run_id = service.start(CHILD)
    expect("the verdict", service.outcome(run_id)["verdict"], "completed")
    run_id = service.start(EXEC, args=PROGRAM)
    expect("the verdict", service.outcome(run_id)["verdict"], "completed")


@check.must("request.cancelled with reason ended tells of each open request of a run that is cancelled.")
def cancelled(service: ServicePeer) -> None:
    service.initialize(*EVERY_HANDLER)
    calls = "[agent('a'), workflow('w'), SW.extra.ask('q'), SW.sandbox.exec('p', args)]"
    source = f"export default await Promise.all({calls});"
    run_id = service.start(source, args=PROGRAM)
    methods = ("agent.ask", "workflow.get", "question.ask", "sandbox.exec")
    asked = [service.asked(method) for method in methods]
    service.request("run.cancel", runId=run_id)
    expect("reasons", [service.cancelled(each) for each in asked], ["ended"] * 4)
