"""replay: many turns in one message, each of which hands out what it has queued."""

from __future__ import annotations

from typing import Any

from flowcage.conformance.check import Deviation, expect
from flowcage.conformance.on_child.advance import WRONG, expect_complete, ok
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("replay", "protocol.md: Replaying")

Turn = list[dict[str, Any]]


def waiting(child: ChildPeer, source: str) -> None:
    """Start a workflow, and take its requests."""
    child.require("replay")
    child.start(source)
    child.drain()


def replay(child: ChildPeer, *turns: Turn) -> dict[str, Any]:
    """Send `replay` with these turns, and return its result."""
    answer: dict[str, Any] = child.request("replay", turns=list(turns))
    return answer


def replay_all(child: ChildPeer, *turns: Turn) -> list[dict[str, Any]]:
    """Replay turns, in as many messages as the child wants; its answers."""
    answers, left = [], list(turns)
    while left:
        answers.append(replay(child, *left))
        carried_out = len(answers[-1]["counts"])
        if not 1 <= carried_out <= len(left):
            raise Deviation(f"the child counts {carried_out} turns of {len(left)}")
        del left[:carried_out]
    return answers


def _all(answers: list[dict[str, Any]], name: str) -> list[Any]:
    return [each for answer in answers for each in answer[name]]


@check.must("The requests of all turns are handed out, also those that a later turn settles.")
def settled_requests(child: ChildPeer) -> None:
    waiting(child, 'await agent("a");\nawait agent("b");\nexport default await agent("replayed");')
    answers = replay_all(child, [ok("1", None)], [ok("2", None)])
    expect("the prompts", [each["prompt"] for each in _all(answers, "requests")], ["b", "replayed"])
    expect("the counts", _all(answers, "counts"), [1, 1])


@check.must("counts has the number of requests of each turn, one that has none included.")
def counts(child: ChildPeer) -> None:
    source = 'const a = [agent("a"), agent("b")];\nawait a[0];\nawait a[1];\nagent("c");\n'
    waiting(child, source + 'export default await agent("d");')
    answers = replay_all(child, [ok("1", None)], [ok("2", None)])
    expect("the counts", _all(answers, "counts"), [0, 2])
    expect("the ids", [each["id"] for each in _all(answers, "requests")], ["3", "4"])


@check.must("The calls of all turns are handed out in their order.")
def calls(child: ChildPeer) -> None:
    waiting(child, 'log(await agent("a"));\nlog(await agent("b"));\nexport default await agent("calls");')
    answers = replay_all(child, [ok("1", "A")], [ok("2", "B")])
    expect("the calls", [each["values"] for each in _all(answers, "calls")], [["A"], ["B"]])


@check.must("Each turn is a turn of its own: what it settles is seen before the next one is settled.")
def turn_by_turn(child: ChildPeer) -> None:
    source = 'const both = [agent("a"), agent("b")];\nconst first = await Promise.race(both);\nlog(first);\n'
    waiting(child, source + 'await both[0];\nexport default await agent("after " + first);')
    answers = replay_all(child, [ok("2", "B")], [ok("1", "A")])
    expect("the prompts", [each["prompt"] for each in _all(answers, "requests")], ["after B"])
    expect("the counts", _all(answers, "counts"), [0, 1])


@check.must("A run that completes in a turn says so, and the turns after it are left out.")
def completes(child: ChildPeer) -> None:
    waiting(child, 'await agent("a");\nexport default await agent("soon replayed");')
    expect("the first turn", replay_all(child, [ok("1", None)])[-1]["state"], "pending")
    last = replay(child, [ok("2", "done")], [ok("94", "never read")])
    expect_complete(last, "done")
    expect("the counts", last["counts"], [0])


@check.must("A failure in a turn is told as advance tells it, once the turns before it are answered.")
def failure(child: ChildPeer) -> None:
    waiting(child, 'await agent("a");\nawait agent("fatal replay");\nthrow new Error("in a replay");')
    turns = [[ok("1", None)], [ok("2", None)]]
    expect("the counts", replay(child, *turns)["counts"], [1])
    child.refused("exception", "replay", turns=turns[1:])
    child.refused("exception", "drain")


@check.must("What came before a failure in its turn is the answer, with more.")
def more(child: ChildPeer) -> None:
    waiting(child, 'log(await agent("and then in a replay"));\nthrow new Error("the end");')
    answer = replay(child, [ok("1", "before")])
    expect("the calls", [call["values"] for call in answer["calls"]], [["before"]])
    expect("more", answer.get("more"), True)
    child.refused("exception", "drain")


@check.must("An id that is not outstanding in the first turn is unknown_request; nothing is settled.")
def unknown_id(child: ChildPeer) -> None:
    waiting(child, 'export default await agent("unharmed by a replay");')
    data = child.refused("unknown_request", "replay", turns=[[ok("1", "too early"), ok("93", None)]])
    expect("id and turn", [data["id"], data.get("turn")], ["93", 0])
    expect_complete(replay(child, [ok("1", "in time")]), "in time")


@check.must(
    "A later turn with an id that is not outstanding is not carried out; the answer counts those before."
)
def unknown_in_a_later_turn(child: ChildPeer) -> None:
    waiting(child, 'log(await agent("applied in a replay"));\nexport default await agent("b");')
    answer = replay(child, [ok("1", "A")], [ok("92", None), ok("2", "B")])
    expect("the counts", answer["counts"], [1])
    expect_complete(child.advance([ok("2", "still there")]), "still there")


@check.must("A turn that never ends is a timeout.")
def timeout(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=200)
    waiting(child, 'await agent("a");\nfor (;;);\nexport default 1;')
    child.refused("timeout", "replay", turns=[[ok("1", "endless replay")]])


@check.must("What is queued in one turn does not count against maxQueuedBytes in the next.")
def queued(child: ChildPeer) -> None:
    child.initialize(maxQueuedBytes=10_000)
    source = (
        'for (let i = 0; i < 5; i++) { await agent("q"); log("x".repeat(6000)); }\nexport default "queued";'
    )
    waiting(child, source)
    answers = replay_all(child, *([ok(str(number), None)] for number in range(1, 6)))
    expect("the calls", len(_all(answers, "calls")), 5)
    expect_complete(answers[-1], "queued")


@check.must("Turns of another type are invalid_params, and nothing is settled.")
def invalid_params(child: ChildPeer) -> None:
    waiting(child, 'export default await agent("after all that was replayed");')
    for path, wrong in WRONG:
        data = child.refused("invalid_params", "replay", **wrong)
        expect("data.path", data["path"], path)
    expect_complete(replay(child, [ok("1", "after all")]), "after all")


@check.must("replay before start is invalid_state.")
def before_start(child: ChildPeer) -> None:
    child.require("replay")
    child.refused("invalid_state", "replay", turns=[[ok("1", "replayed early")]])
