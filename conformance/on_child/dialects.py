"""Modules and scripts."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("dialects", "sandbox.md: Dialects")

META = 'export const meta = { name: "kit" };\n'


@check.must("A module's default that is a function is called with args and a context.")
def module_function(child: ChildPeer) -> None:
    source = "export default (given, context) => [given.n, typeof context.agent];"
    child.expect_result([4, "function"], source, args={"n": 4}, dialect="module")


@check.must("A module's default that is a promise is awaited.")
def module_promise(child: ChildPeer) -> None:
    child.expect_result("kept", 'export default Promise.resolve("kept");', dialect="module")


@check.must("A script's top-level return is its result.")
def script_return(child: ChildPeer) -> None:
    child.expect_result([3], META + "return [await Promise.resolve(3)];", dialect="script")


@check.must("auto reads a source with a real top-level return as a script.")
def auto_script(child: ChildPeer) -> None:
    child.expect_result(["auto"], META + 'if (true) return ["auto"];')


@check.must("auto does not take a return in a function, a string or a comment for one.")
def auto_module(child: ChildPeer) -> None:
    source = '// return 1;\nconst text = "return 2;";\nexport default (() => { return [text]; })();'
    child.expect_result(["return 2;"], source)


@check.must("With neither return nor default, and meta its only export, the result is null.")
def auto_meta_only(child: ChildPeer) -> None:
    child.expect_result(None, META + 'log("nothing to give");')


@check.must("A top-level return in dialect module is a syntax error.")
def module_return(child: ChildPeer) -> None:
    child.initialize()
    child.refused("syntax", "start", source=META + "return 6;", dialect="module")


@check.must("A module without a default export fails as missing_default.")
def missing_default(child: ChildPeer) -> None:
    child.expect_failure("missing_default", "export const other = 1;", dialect="module")


@check.must("Another dialect is invalid_params at /dialect.")
def unknown_dialect(child: ChildPeer) -> None:
    child.initialize()
    data = child.refused("invalid_params", "start", source="export default 1;", dialect="coffee")
    expect("data.path", data["path"], "/dialect")


def described(child: ChildPeer, source: str, dialect: str) -> None:
    """Start with `describe`: the dialect must be this one, or be left out, as by an older child."""
    child.initialize()
    told = child.request("start", source=source, describe=True)
    expect("the dialect, where it is told", told.get("dialect", dialect), dialect)


@check.must("With describe, start tells of a module that it is one, or does not tell the dialect.")
def described_module(child: ChildPeer) -> None:
    described(child, META + "export default 'a described module';", "module")


@check.must(
    "With describe, start tells of a source with a top-level return that it is a script, or does not tell."
)
def described_script(child: ChildPeer) -> None:
    described(child, META + "return 'a described script';", "script")


@check.must(
    "With describe, start tells of a source whose only export is meta that it is a script, or does not tell."
)
def described_meta_only(child: ChildPeer) -> None:
    described(child, META + "log('described by meta');", "script")


@check.must("Without describe, start does not tell the dialect.")
def not_described(child: ChildPeer) -> None:
    child.initialize()
    told = child.request("start", source="export default 'not described';")
    expect("whether the dialect is told", "dialect" in told, False)
