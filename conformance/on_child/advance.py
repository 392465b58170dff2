"""advance: settles requests turn by turn, and drains, in one message."""

from __future__ import annotations

from typing import Any

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("advance", "protocol.md: advance")

Settlement = dict[str, Any]


def ok(identifier: str, value: object, **members: object) -> Settlement:
    """One answer of a turn."""
    return {"id": identifier, "resolution": {"type": "ok", "value": value, **members}}


def waiting(child: ChildPeer, source: str) -> None:
    """Start a workflow, and take its requests."""
    child.require("advance")
    child.start(source)
    child.drain()


def expect_complete(drained: dict[str, Any], result: object) -> None:
    """The answer must be that of a complete run with this result."""
    expect("the state", drained["state"], "complete")
    expect("the result", drained["output"]["result"], result)


@check.must("advance settles and runs on: its answer is that of the drain after the resolves.")
def settles_and_drains(child: ChildPeer) -> None:
    waiting(child, 'log(await agent("a"));\nexport default await agent("next");')
    drained = child.advance([ok("1", "A")])
    expect("the calls", [call["values"] for call in drained["calls"]], [["A"]])
    expect("the prompts", [request["prompt"] for request in drained["requests"]], ["next"])
    expect("the state", drained["state"], "pending")


@check.must("Each kind of resolution is that of resolve.")
def resolutions(child: ChildPeer) -> None:
    asked = 'agent("a"), agent("b"), agent("c").catch((e) => e.message)'
    waiting(child, f"export default (await Promise.all([{asked}])).map((v) => v === undefined || v);")
    undefined = {"id": "2", "resolution": {"type": "ok_undefined"}}
    refused = {"id": "3", "resolution": {"type": "error", "message": "not now"}}
    expect_complete(child.advance([ok("1", [None]), undefined, refused]), [[None], True, "not now"])


@check.must("A new budget is visible to the code that resumes.")
def budget(child: ChildPeer) -> None:
    waiting(child, 'await agent("a");\nexport default [budget.total, budget.spent()];')
    drained = child.advance([ok("1", None, budget={"total": 600, "spent": 66})])
    expect_complete(drained, [600, 66])


@check.must("The requests of a turn are settled in the order in which they stand.")
def order(child: ChildPeer) -> None:
    waiting(child, 'for (const n of ["a", "b"]) agent(n).then(log);\nexport default await agent("in order");')
    drained = child.advance([ok("2", "sooner"), ok("1", "later")])
    expect("the calls", [call["values"] for call in drained["calls"]], [["sooner"], ["later"]])


@check.must("Each turn runs to quiet before the next one; what they queue is handed out in the end.")
def turn_by_turn(child: ChildPeer) -> None:
    source = 'log(await agent("a"));\nlog(await agent("b"));\nexport default await agent("turned");'
    waiting(child, source)
    drained = child.advance([ok("1", "A")], [ok("2", "B")])
    expect("the calls", [call["values"] for call in drained["calls"]], [["A"], ["B"]])
    expect("the ids", [request["id"] for request in drained["requests"]], ["3"])


@check.must("An id that is not outstanding is unknown_request with the turn; nothing of it is settled.")
def unknown_id(child: ChildPeer) -> None:
    waiting(child, 'export default await agent("unharmed");')
    turns = [[ok("1", "too early"), ok("98", None)]]
    data = child.refused("unknown_request", "advance", turns=turns)
    expect("id and turn", [data["id"], data.get("turn")], ["98", 0])
    expect_complete(child.advance([ok("1", "in time")]), "in time")


@check.must("An id that a turn has twice is unknown_request; nothing of the turn is settled.")
def twice_in_a_turn(child: ChildPeer) -> None:
    waiting(child, 'export default await agent("only one");')
    turns = [[ok("1", "one"), ok("1", "other")]]
    data = child.refused("unknown_request", "advance", turns=turns)
    expect("id and turn", [data["id"], data.get("turn")], ["1", 0])
    expect_complete(child.advance([ok("1", "the answer")]), "the answer")


@check.must("Before an unknown id of a later turn, earlier turns stay applied; a drain hands out the rest.")
def unknown_in_a_later_turn(child: ChildPeer) -> None:
    waiting(child, 'log(await agent("applied"));\nexport default await agent("b");')
    data = child.refused("unknown_request", "advance", turns=[[ok("1", "A")], [ok("97", None)]])
    expect("id and turn", [data["id"], data.get("turn")], ["97", 1])
    drained = child.drain()
    expect("the calls", [call["values"] for call in drained["calls"]], [["A"]])
    expect("the ids", [request["id"] for request in drained["requests"]], ["2"])


@check.must("A run that completes in a turn leaves out the turns after it.")
def completes_early(child: ChildPeer) -> None:
    waiting(child, 'export default await agent("early");')
    expect_complete(child.advance([ok("1", "done")], [ok("96", "never read")]), "done")


@check.must("A failure in a turn is the answer; the turns after it are left out, and drain repeats it.")
def failure(child: ChildPeer) -> None:
    waiting(child, 'await agent("fatal");\nthrow new Error("in a turn");')
    first = child.refused("exception", "advance", turns=[[ok("1", None)], [ok("95", None)]])
    expect("the error that drain repeats", child.refused("exception", "drain"), first)


@check.must("What came before a failure is the answer, with more; the next message gets the failure.")
def more(child: ChildPeer) -> None:
    waiting(child, 'log(await agent("and then"));\nthrow new Error("the end");')
    drained = child.advance([ok("1", "before")])
    expect("the calls", [call["values"] for call in drained["calls"]], [["before"]])
    expect("more", drained.get("more"), True)
    child.refused("exception", "drain")


@check.must("In a failed run advance takes its ids, and is then answered with the failure.")
def after_failure(child: ChildPeer) -> None:
    waiting(child, 'agent("left");\nawait agent("last");\nthrow new Error("failed");')
    child.refused("exception", "advance", turns=[[ok("2", None)]])
    child.refused("unknown_request", "advance", turns=[[ok("2", None)]])
    child.refused("exception", "advance", turns=[[ok("1", None)]])
    child.refused("unknown_request", "advance", turns=[[ok("1", "again")]])


@check.must("A request still outstanding after completion may be settled: the answer repeats the state.")
def after_completion(child: ChildPeer) -> None:
    waiting(child, 'agent("left behind by advance");\nexport default "complete";')
    expect_complete(child.advance([ok("1", "late")]), "complete")


@check.must("A turn that never ends is a timeout.")
def timeout(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=200)
    waiting(child, 'await agent("a");\nfor (;;);\nexport default 1;')
    child.refused("timeout", "advance", turns=[[ok("1", "endless turn")]])


# By what is wrong, as a JSON Pointer.
WRONG: list[tuple[str, dict[str, object]]] = [
    ("", {}),
    ("/turns", {"turns": 5}),
    ("/turns", {"turns": []}),
    ("/turns/0", {"turns": [[]]}),
    ("/turns/0", {"turns": [ok("1", 1)]}),
    ("/turns/1/0", {"turns": [[ok("1", 1)], [5]]}),
    ("/turns/0/0/id", {"turns": [[{"id": 1, "resolution": {"type": "ok_undefined"}}]]}),
    ("/turns/0/0/resolution/type", {"turns": [[{"id": "1", "resolution": {"type": "perhaps"}}]]}),
]


@check.must("Turns of another type are invalid_params, and nothing is settled.")
def invalid_params(child: ChildPeer) -> None:
    waiting(child, 'export default await agent("after all that");')
    for path, wrong in WRONG:
        data = child.refused("invalid_params", "advance", **wrong)
        expect("data.path", data["path"], path)
    expect_complete(child.advance([ok("1", "after all")]), "after all")


@check.must("advance before start is invalid_state.")
def before_start(child: ChildPeer) -> None:
    child.require("advance")
    child.refused("invalid_state", "advance", turns=[[ok("1", "early")]])
