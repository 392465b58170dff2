"""resolve: which promise it settles, and with what."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("resolve", "protocol.md: resolve")

WAITING = 'export default [await agent("a")];'


def waiting(child: ChildPeer, source: str = WAITING) -> None:
    """Start a workflow, and take its requests."""
    child.start(source)
    child.drain()


@check.must("ok carries any JSON to the promise.")
def value(child: ChildPeer) -> None:
    waiting(child)
    child.resolve("1", {"deep": [1, {"er": None}]})
    expect("the result", child.result(), [{"deep": [1, {"er": None}]}])


@check.must("ok with null is null, ok_undefined is undefined.")
def null_is_not_undefined(child: ChildPeer) -> None:
    waiting(
        child, 'export default (await Promise.all([agent("a"), agent("b")])).map((v) => v === undefined);'
    )
    child.resolve("1", None)
    child.settle("2", {"type": "ok_undefined"})
    expect("which are undefined", child.result(), [False, True])


@check.must("error rejects the promise with an Error of that message.")
def error(child: ChildPeer) -> None:
    source = 'export default await agent("a").catch((e) => [e instanceof Error, e.message]);'
    waiting(child, source)
    child.settle("1", {"type": "error", "message": "no such model"})
    expect("what was caught", child.result(), [True, "no such model"])


@check.must("Requests may be resolved in any order.")
def any_order(child: ChildPeer) -> None:
    waiting(child, 'export default await Promise.all([agent("a"), agent("b"), agent("c")]);')
    for identifier in ("3", "1", "2"):
        child.resolve(identifier, f"answer {identifier}")
    expect("the result", child.result(), ["answer 1", "answer 2", "answer 3"])


@check.must("resolve runs no JavaScript: an endless continuation is answered at once.")
def settles_only(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=200)
    waiting(child, 'await agent("a");\nfor (;;);\nexport default 1;')
    child.resolve("1", "endless from here")
    child.refused("timeout", "drain")


@check.must("An id that was never handed out is unknown_request, and names it.")
def unknown_id(child: ChildPeer) -> None:
    waiting(child)
    data = child.refused("unknown_request", "resolve", id="99", resolution={"type": "ok", "value": 1})
    expect("data.id", data["id"], "99")


@check.must("An id that was resolved is unknown_request; the first answer stands.")
def twice(child: ChildPeer) -> None:
    waiting(child)
    child.resolve("1", "first")
    child.refused("unknown_request", "resolve", id="1", resolution={"type": "ok", "value": "second"})
    expect("the result", child.result(), ["first"])


# By what is wrong, as a JSON Pointer.
WRONG: list[tuple[str, object]] = [
    ("/resolution", None),
    ("/resolution/type", {"type": "maybe"}),
    ("/resolution", {"type": "ok"}),
    ("/resolution/message", {"type": "error", "message": 5}),
    ("/resolution/budget/spent", {"type": "ok", "value": 1, "budget": {"total": 1, "spent": 0.5}}),
]


@check.must("A resolution of another type is invalid_params, and the request stays outstanding.")
def invalid_resolution(child: ChildPeer) -> None:
    waiting(child)
    for path, resolution in WRONG:
        data = child.refused("invalid_params", "resolve", id="1", resolution=resolution)
        expect("data.path", data["path"], path)
    child.resolve("1", "after all")
    expect("the result", child.result(), ["after all"])


@check.must("A resolve whose line was refused leaves its request outstanding.")
def refused_line(child: ChildPeer) -> None:
    waiting(child)
    deep = b'{"type":"ok","value":' + b"[" * 900 + b"]" * 900 + b"}"
    child.refuses_line(
        "message_too_large",
        b'{"jsonrpc":"2.0","id":7,"method":"resolve","params":{"id":"1","resolution":' + deep + b"}}",
    )
    child.resolve("1", "in time")
    expect("the result", child.result(), ["in time"])


@check.must("The id is a string: the integer 1 is invalid_params at /id.")
def id_is_text(child: ChildPeer) -> None:
    waiting(child)
    data = child.refused("invalid_params", "resolve", id=1, resolution={"type": "ok_undefined"})
    expect("data.path", data["path"], "/id")


@check.must("A new budget is visible to the code that resumes.")
def budget(child: ChildPeer) -> None:
    waiting(child, 'await agent("a");\nexport default [budget.total, budget.spent()];')
    child.resolve("1", None, budget={"total": 500, "spent": 77})
    expect("what the workflow sees", child.result(), [500, 77])


@check.must("A request still outstanding after completion may be resolved: {}.")
def after_completion(child: ChildPeer) -> None:
    waiting(child, 'agent("left behind");\nexport default "complete";')
    child.resolve("1", "too late")
    expect("the state", child.drain()["state"], "complete")
