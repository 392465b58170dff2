"""Starting, waiting for, looking at and cancelling runs."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.on_service.registry import SERVICE_CHECKS
from flowcage.conformance.service.peer import ServicePeer

check = SERVICE_CHECKS.theme("service-runs", "host-protocol.md: A run")

WAITS = "export default await agent('wait');"


@check.must("run.start answers with the id that the client chose.")
def chosen_id(service: ServicePeer) -> None:
    longest = "A.z_9-" + "x" * 94
    for run_id in ("order-7", longest):
        expect("runId", service.start("export default 1;", runId=run_id), run_id)
        service.outcome(run_id)


@check.must("Without runId the host makes an id, another for each run.")
def made_ids(service: ServicePeer) -> None:
    ids = [service.start("export default 1;") for _ in range(3)]
    expect("how many ids there are", len(set(ids)), 3)
    for run_id in ids:
        service.outcome(run_id)


@check.must("An id of another form is invalid_params.")
def id_of_another_form(service: ServicePeer) -> None:
    service.initialize()
    for run_id in ("", "a/b", "é", "a b", "x" * 101):
        service.refused("invalid_params", "run.start", source="export default 1;", runId=run_id)


@check.must("An id of a run that goes on is run_id_in_use, and that run goes on.")
def id_in_use(service: ServicePeer) -> None:
    service.start(WAITS, runId="twice")
    data = service.refused("run_id_in_use", "run.start", source="export default 2;", runId="twice")
    expect("data.runId", data["runId"], "twice")
    service.answer(service.asked(), value="first")
    expect("the result", service.outcome("twice").get("result"), "first")


@check.must("args reach the workflow, and are an empty object where they were left out.")
def args(service: ServicePeer) -> None:
    value = {"text": "é\u2028\U0001d11e", "list": [1, 2.5, None, True, {}], "": 9007199254740991}
    service.expect_result(value, "export default args;", args=value)
    service.expect_result(None, "export default args;", args=None)
    service.expect_result({}, "export default args;")


@check.must("A result is any JSON; undefined is null.")
def results(service: ServicePeer) -> None:
    for source, expected in (("[1, 'a', null]", [1, "a", None]), ("'\\u0000'", "\0"), ("undefined", None)):
        service.expect_result(expected, f"export default {source};")


@check.must("A workflow that throws is an outcome: failed, of kind exception, with its message.")
def throws(service: ServicePeer) -> None:
    outcome = service.complete("throw new TypeError('of the workflow');", sourceName="thrower.js")
    seen = [outcome["verdict"], outcome["error"]["kind"]]
    expect("verdict and kind", seen, ["failed", "exception"])
    expect("the message is told", "of the workflow" in outcome["error"]["message"], True)
    expect("the source is named", "thrower.js" in outcome["error"].get("stack", ""), True)


@check.must("A source that does not compile is an outcome: failed, of kind syntax.")
def syntax(service: ServicePeer) -> None:
    outcome = service.complete("export default (;")
    expect("verdict and kind", [outcome["verdict"], outcome["error"]["kind"]], ["failed", "syntax"])


@check.must("A run over timeoutSeconds has verdict wall_timeout.")
def timeout(service: ServicePeer) -> None:
    run_id = service.start(WAITS, options={"timeoutSeconds": 0.5})
    expect("the verdict", service.outcome(run_id)["verdict"], "wall_timeout")


@check.must("limits hold for the child: a step over stepTimeoutMs fails with kind timeout.")
def limits(service: ServicePeer) -> None:
    outcome = service.complete("while (true) {}", limits={"stepTimeoutMs": 200})
    expect("the kind", outcome["error"]["kind"], "timeout")


@check.must("A run that has ended is waited for as often as one likes, with the same outcome.")
def wait_again(service: ServicePeer) -> None:
    run_id = service.start("export default [1];")
    waits = [service.wait(run_id), service.wait(run_id)]
    seen = [service.outcome_for(wait, run_id) for wait in waits] + [service.outcome(run_id)]
    for outcome in seen:
        expect("verdict and result", [outcome["verdict"], outcome.get("result")], ["completed", [1]])


@check.must("A run that nobody started is unknown_run, whatever is asked of it.")
def unknown_run(service: ServicePeer) -> None:
    service.initialize()
    for method in ("run.wait", "run.get", "run.cancel"):
        data = service.refused("unknown_run", method, runId="nobody-started-this")
        expect("data.runId", data["runId"], "nobody-started-this")


@check.must("run.get tells of a run that goes on, and of one that has ended with its outcome.")
def get(service: ServicePeer) -> None:
    run_id = service.start(WAITS, sourceName="got.js")
    asked = service.asked()
    run = service.request("run.get", runId=run_id)["run"]
    seen = [run["runId"], run["state"], run["verdict"], run["sourceName"]]
    expect("the run", seen, [run_id, "running", None, "got.js"])
    service.answer(asked, value=3)
    service.outcome(run_id)
    told = service.request("run.get", runId=run_id)
    expect("the run", [told["run"]["state"], told["run"]["verdict"]], ["ended", "completed"])
    expect("the result", told["outcome"].get("result"), 3)


@check.must("run.list tells the runs, the newest first, page by page, by state where one is asked for.")
def listed(service: ServicePeer) -> None:
    done = [service.start("export default 1;") for _ in range(3)]
    for run_id in done:
        service.outcome(run_id)
    going = service.start(WAITS)
    service.asked()
    pages: list[list[str]] = []
    after: dict[str, str] = {}
    while len(pages) < 5:
        page = service.request("run.list", limit=2, **after)
        pages.append([run["runId"] for run in page["runs"]])
        if page["next"] is None:
            break
        after = {"before": page["next"]}
    told = [run_id for page in pages for run_id in page]
    expect("how long pages are", max(map(len, pages)), 2)
    expect("the newest run", told[0], going)
    expect("each run is told once", sorted(told), sorted([*done, going]))
    running = service.request("run.list", state="running")["runs"]
    expect("those that run", [run["runId"] for run in running], [going])


@check.must("run.cancel ends a run before it is answered; run.wait has verdict cancelled.")
def cancel(service: ServicePeer) -> None:
    run_id = service.start(WAITS)
    waiting = service.wait(run_id)
    service.asked()
    expect("done", service.request("run.cancel", runId=run_id, reason="enough")["done"], "ended")
    expect("the state", service.state(run_id), "ended")
    expect("the verdict", service.outcome_for(waiting, run_id)["verdict"], "cancelled")


@check.must("A run that has ended cannot be cancelled: run_has_ended.")
def cancel_ended(service: ServicePeer) -> None:
    run_id = service.start("export default 1;")
    service.outcome(run_id)
    service.refused("run_has_ended", "run.cancel", runId=run_id)
    expect("the verdict", service.outcome(run_id)["verdict"], "completed")


@check.must("Runs go on side by side: one that waits holds up no other.")
def side_by_side(service: ServicePeer) -> None:
    held = service.start(WAITS)
    asked = service.asked()
    service.expect_result("other", "export default 'other';")
    service.answer(asked, value="held")
    expect("the result", service.outcome(held).get("result"), "held")


@check.must("After the outcome of a run, no request of it comes.")
def nothing_after_the_end(service: ServicePeer) -> None:
    run_id = service.start("agent('left').catch(() => {}); export default await agent('awaited');")
    waiting = service.wait(run_id)
    asked = {each.params["prompt"]: each for each in (service.asked(), service.asked())}
    service.answer(asked["awaited"], value=1)
    service.outcome_for(waiting, run_id)
    service.expect_still_serving()
    later = service.heard[service.heard.index(("answer", waiting)) :]
    if any(what == "asked" for what, _ in later):
        raise Deviation("it sent a request of a run after the answer to its run.wait")


@check.should("check tells what is wrong with a source and runs nothing.")
def checked(service: ServicePeer) -> None:
    service.require("check")
    good = service.request("check", source="export const meta = { name: 'n' };\nexport default 1;")
    expect("dialect and meta", [good["dialect"], good["meta"]], ["module", {"name": "n"}])
    wrong = service.request("check", source="export default (;")
    expect("the dialect", wrong["dialect"], None)
    expect("the first finding", wrong["findings"][0]["kind"], "syntax")
