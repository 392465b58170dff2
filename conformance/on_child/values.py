"""Values that cross in both directions without a change."""

from __future__ import annotations

from flowcage.conformance.check import Deviation, expect, shown
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("values", "protocol.md: What messages are made of")


def crosses(child: ChildPeer, value: object) -> None:
    """The value must cross unchanged as args and answer, and in a request and a result."""
    child.start(
        'const answer = await agent("v", { given: args });\nexport default [args, answer];', args=value
    )
    request = child.drain()["requests"][0]
    expect("the value in a request", request["options"]["given"], value)
    child.resolve("1", value)
    expect("the value in a result", child.result(), [value, value])


@check.must("NUL crosses in strings.")
def nul(child: ChildPeer) -> None:
    crosses(child, "a\x00b")


@check.must("U+2028 and U+2029 cross in strings.")
def separators(child: ChildPeer) -> None:
    crosses(child, "a\u2028b\u2029")


@check.must("Characters beyond U+FFFF cross in strings.")
def astral(child: ChildPeer) -> None:
    crosses(child, "\U0001d11e")


@check.must("A lone surrogate crosses as its JSON escape.")
def lone_surrogate(child: ChildPeer) -> None:
    crosses(child, "\ud800")


@check.must("Numbers cross as doubles.")
def numbers(child: ChildPeer) -> None:
    crosses(child, [0.1, -1.5, 2**53 - 1, 1e308, 5e-324])


@check.must("A member called __proto__ is a member like any other.")
def proto_member(child: ChildPeer) -> None:
    source = "export default [Object.keys(args).length, Object.getPrototypeOf(args) === Object.prototype];"
    child.expect_result([2, True], source, args={"__proto__": {"polluted": 1}, "b": 2})


@check.must("400 levels of nesting cross.")
def nested(child: ChildPeer) -> None:
    value: list[object] = []
    for _level in range(399):
        value = [value]
    child.start("export default args;", args=value)
    result = child.result()
    if repr(result) != repr(value):
        raise Deviation(f"expected 400 nested lists, saw {shown(result)}")


@check.must("An answer of 3 MiB crosses whole, both ways.")
def megabytes(child: ChildPeer) -> None:
    text = "\u00fc" * (3 << 19)
    child.start('export default await agent("large");')
    child.drain()
    child.send_request("resolve", {"id": "1", "resolution": {"type": "ok", "value": text}}, "large", raw=True)
    child.result_for("large", "resolve")
    expect("the same text came back", child.result() == text, True)


@check.must("Results follow JSON's rules: functions and undefined are dropped, toJSON is honoured.")
def json_rules(child: ChildPeer) -> None:
    source = "export default { f() {}, u: undefined, list: [() => 1], own: { toJSON: () => 'mine' } };"
    child.expect_result({"list": [None], "own": "mine"}, source)


@check.must("A result of undefined is null.")
def undefined_result(child: ChildPeer) -> None:
    child.expect_result(None, "export default () => {};")
