"""sites: where in its source a workflow made the requests that are outstanding."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("sites", "protocol.md: sites")


@check.must("The sites are those of the requests that are outstanding, in their order.")
def outstanding(child: ChildPeer) -> None:
    child.require("sites")
    child.start('agent("a");\nagent("b");\nexport default await agent("sites");')
    child.drain()
    child.resolve("2", None)
    expect("the ids", [each["id"] for each in child.request("sites")["sites"]], ["1", "3"])


@check.should("A site has the line of the call in the author's file.")
def line(child: ChildPeer) -> None:
    child.require("sites")
    child.start('\n\nconst ask = () => agent("a");\n\nexport default await ask();')
    child.drain()
    expect("the line", [each.get("line") for each in child.request("sites")["sites"]], [3])


@check.must("sites changes nothing, and requests that were not handed out yet have one.")
def changes_nothing(child: ChildPeer) -> None:
    child.require("sites")
    child.start('log("a call of sites");\nexport default await agent("a");')
    child.drain()
    expect("asked twice", child.request("sites"), child.request("sites"))
    child.resolve("1", "settled")
    expect("the result", child.result(), "settled")


@check.must("In a failed run sites is answered with the failure.")
def failed(child: ChildPeer) -> None:
    child.require("sites")
    child.start('agent("a");\nthrow new Error("no sites");')
    child.drain()
    child.refused("exception", "drain")
    child.refused("exception", "sites")


@check.must("sites before start is invalid_state.")
def before_start(child: ChildPeer) -> None:
    child.require("sites")
    child.refused("invalid_state", "sites")
