"""run: start and the first drain in one message, with limits that can be lowered."""

from __future__ import annotations

from typing import Any

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("run", "protocol.md: run")

SOURCE = "export default 1;"


def expect_complete(drained: dict[str, Any], result: object) -> None:
    """The answer must be that of a complete run with this result."""
    expect("the state", drained["state"], "complete")
    expect("the result", drained["output"]["result"], result)


def expect_too_many(child: ChildPeer, told: str, **limits: int) -> None:
    """With these limits, a run must end at its second request."""
    drained = child.run(f'agent("a"); agent("b"); // {told}', limits=limits)
    expect("requests and more", [len(drained["requests"]), drained.get("more")], [1, True])
    child.refused("limit", "drain")


@check.must("run answers as the first drain after start: calls, requests, state.")
def start_and_drain(child: ChildPeer) -> None:
    drained = child.run('log("a"); agent("p"); phase("q");\nexport default await agent("r");')
    expect("the calls", [call["type"] for call in drained["calls"]], ["log", "phase"])
    expect("the prompts", [request["prompt"] for request in drained["requests"]], ["p", "r"])
    expect("the state", drained["state"], "pending")


@check.must("A workflow that asks for nothing is complete in the answer.")
def complete(child: ChildPeer) -> None:
    expect_complete(child.run("export default { verdict: 'at once' };"), {"verdict": "at once"})


@check.must("A workflow that can never finish is stalled in the answer.")
def stalled(child: ChildPeer) -> None:
    drained = child.run("await new Promise(() => {});\nexport default 'never';")
    expect("state and stalled", [drained["state"], drained.get("stalled")], ["pending", True])


@check.must("After run, resolve and drain go on as after start.")
def goes_on(child: ChildPeer) -> None:
    child.run('export default [await agent("who")];')
    child.resolve("1", "Ada")
    expect("the result", child.result(), ["Ada"])


@check.must("The workflow sees args and budget, and stacks have sourceName.")
def params(child: ChildPeer) -> None:
    source = 'export default [args, budget.total, new Error("x").stack.includes("flows/" + "ran.js")];'
    budget = {"total": 9, "spent": 0}
    drained = child.run(source, args={"n": 2}, budget=budget, sourceName="flows/ran.js")
    expect_complete(drained, [{"n": 2}, 9, True])


@check.must("With describe the answer has the dialect beside what a drain has.")
def described(child: ChildPeer) -> None:
    drained = child.run("return 'a described run';", describe=True)
    expect("the dialect", drained["dialect"], "script")
    expect_complete(drained, "a described run")


@check.must("Without describe the answer has no dialect.")
def not_described(child: ChildPeer) -> None:
    expect("there is a dialect", "dialect" in child.run("return 'plain';"), False)


@check.must("A failure to compile is run's own answer, and the run has failed: drain repeats it.")
def syntax(child: ChildPeer) -> None:
    child.require("run")
    first = child.refused("syntax", "run", source="export default 1 +; // run")
    expect("the error that drain repeats", child.refused("syntax", "drain"), first)


@check.must("A failure while it runs is the answer where nothing came before it; drain repeats it.")
def failure(child: ChildPeer) -> None:
    child.require("run")
    first = child.refused("exception", "run", source='throw new Error("ran into it");')
    expect("the error that drain repeats", child.refused("exception", "drain"), first)


@check.must("What came before a failure is the answer, with more; the next message gets the failure.")
def more(child: ChildPeer) -> None:
    drained = child.run('log("before it");\nthrow new Error("after it");')
    expect("the calls", [call["values"] for call in drained["calls"]], [["before it"]])
    expect("more", drained.get("more"), True)
    child.refused("exception", "drain")


@check.must("A lower limit holds for this run.")
def lower_limit(child: ChildPeer) -> None:
    expect_too_many(child, "too many", maxPendingRequests=1)


@check.must("The workflow is ended by a lower stepTimeoutMs.")
def lower_step(child: ChildPeer) -> None:
    child.require("run")
    child.refused("timeout", "run", source="for (;;); // lower", limits={"stepTimeoutMs": 100})


@check.must("A limit cannot be raised: a higher value leaves it as it is.")
def higher_limit(child: ChildPeer) -> None:
    child.initialize(maxPendingRequests=1)
    expect_too_many(child, "still too many", maxPendingRequests=50)


@check.must("Limits that no run can lower, and unknown ones, are ignored.")
def other_limits(child: ChildPeer) -> None:
    source = "export default 'x'.repeat(1000);"
    drained = child.run(source, limits={"maxMessageBytes": 100, "addressSpaceBytes": 1, "maxPages": 0})
    expect_complete(drained, "x" * 1000)


# By what is wrong, as a JSON Pointer.
WRONG: list[tuple[str, dict[str, object]]] = [
    ("", {"sourceName": "run-without-source.js"}),
    ("/source", {"source": 7}),
    ("/limits", {"source": "", "limits": 7}),
    ("/limits/cpuSeconds", {"source": "", "limits": {"cpuSeconds": 0}}),
    ("/limits/memoryBytes", {"source": "", "limits": {"memoryBytes": 1.5}}),
]


@check.must("run without source, or with members of another type, is invalid_params; run may follow.")
def invalid_params(child: ChildPeer) -> None:
    child.require("run")
    for path, wrong in WRONG:
        data = child.refused("invalid_params", "run", **wrong)
        expect("data.path", data["path"], path)
    expect_complete(child.run(SOURCE), 1)


@check.must("run before initialize is invalid_state.")
def before_initialize(child: ChildPeer) -> None:
    early = child.send_request("run", {"source": SOURCE}, "too early")
    reply = child.reply_to(early, "run")
    child.require("run")
    expect("the error's kind", reply["error"]["data"]["kind"], "invalid_state")


@check.must("A second run, and a start after run, are invalid_state: a child runs one workflow.")
def once(child: ChildPeer) -> None:
    child.run(SOURCE)
    child.refused("invalid_state", "run", source="export default 'run again';")
    child.refused("invalid_state", "start", source="export default 'start again';")


@check.must("run after start is invalid_state, and the run that was started goes on.")
def after_start(child: ChildPeer) -> None:
    child.require("run")
    child.start("export default 'started';")
    child.refused("invalid_state", "run", source=SOURCE)
    expect("the result", child.result(), "started")
