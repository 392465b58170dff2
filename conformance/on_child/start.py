"""start: compiling, and the globals that a workflow gets."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("start", "protocol.md: start")


@check.must("start runs no JavaScript: one that never ends is answered at once.")
def compiles_only(child: ChildPeer) -> None:
    child.initialize(stepTimeoutMs=200)
    child.start("for (;;);\nexport default 1; // endless")


@check.must("A syntax error is start's own answer.")
def syntax(child: ChildPeer) -> None:
    child.initialize()
    child.refused("syntax", "start", source="export default 1 +;")


@check.must("A static import of anything but the virtual modules is start's own answer.")
def import_(child: ChildPeer) -> None:
    child.initialize()
    child.refused("import", "start", source='import fs from "fs";\nexport default 1;')


@check.must("A failed start is a failed run: poll and drain repeat its error.")
def failure_repeated(child: ChildPeer) -> None:
    child.initialize()
    first = child.refused("syntax", "start", source="export default [;")
    expect("the error that drain repeats", child.refused("syntax", "drain"), first)
    expect("the error that poll repeats", child.refused("syntax", "poll"), first)


# By what is wrong, as a JSON Pointer.
WRONG: list[tuple[str, dict[str, object]]] = [
    ("", {"sourceName": "no-source.js"}),
    ("/source", {"source": 1}),
    ("/sourceName", {"source": "", "sourceName": None}),
    ("/budget", {"source": "", "budget": 5}),
    ("/budget", {"source": "", "budget": {"total": 1}}),
    ("/budget/spent", {"source": "", "budget": {"total": None, "spent": -1}}),
    ("/budget/total", {"source": "", "budget": {"total": "1", "spent": 0}}),
]


@check.must("start without source, or with members of another type, is invalid_params; start may follow.")
def invalid_params(child: ChildPeer) -> None:
    child.initialize()
    for path, params in WRONG:
        data = child.refused("invalid_params", "start", **params)
        expect("data.path", data["path"], path)
    child.expect_result(1, "export default 1;")


@check.must("args is any JSON.")
def args(child: ChildPeer) -> None:
    value = {"list": [1, 2.5, "three", None, True], "nested": {"empty": {}}}
    child.expect_result(value, "export default args;", args=value)


@check.must("args of null is null.")
def args_null(child: ChildPeer) -> None:
    child.expect_result([True], "export default [args === null];", args=None)


@check.must("Without args the workflow finds an empty object.")
def args_default(child: ChildPeer) -> None:
    child.expect_result(["object", []], "export default [typeof args, Object.keys(args)];")


@check.must("The workflow sees the budget: total, spent and remaining.")
def budget(child: ChildPeer) -> None:
    source = "export default [budget.total, budget.spent(), budget.remaining()];"
    child.expect_result([1000, 250, 750], source, budget={"total": 1000, "spent": 250})


@check.must("Stacks name the source by sourceName and by the author's line.")
def source_name(child: ChildPeer) -> None:
    source = 'export const a = 1;\nexport default () => { throw new Error("named"); };'
    data = child.expect_failure("exception", source, sourceName="flows/named.js")
    expect("the stack has flows/named.js:2", "flows/named.js:2" in data["stack"], True)


@check.must("Without sourceName it is workflow.js.")
def source_name_default(child: ChildPeer) -> None:
    data = child.expect_failure("exception", 'export default () => { throw new Error("nameless"); };')
    expect("the stack has workflow.js:1", "workflow.js:1" in data["stack"], True)
