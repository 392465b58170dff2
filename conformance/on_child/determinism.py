"""Determinism: a run depends on its source, its args and its answers only."""

from __future__ import annotations

from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("determinism", "sandbox.md: Globals")


@check.must("Nothing tells the time: there is no working Date.")
def no_clock(child: ChildPeer) -> None:
    child.expect_result("none", 'let t = "none";\ntry { t = typeof Date.now(); } catch {}\nexport default t;')


@check.must("Nothing draws randomness: Math.random does not work.")
def no_randomness(child: ChildPeer) -> None:
    child.expect_result(
        "none", 'let r = "none";\ntry { r = typeof Math.random(); } catch {}\nexport default r;'
    )


@check.must("Nothing observes the garbage collector: there is no WeakRef.")
def no_collector(child: ChildPeer) -> None:
    child.expect_result(
        "none", 'let w = "none";\ntry { w = typeof new WeakRef({}); } catch {}\nexport default w;'
    )


@check.must("No code comes from text: the constructor of a function throws.")
def no_dynamic_code(child: ChildPeer) -> None:
    source = 'let c = "none";\ntry { c = (() => {}).constructor("return 1")(); } catch {}\nexport default c;'
    child.expect_result("none", source)


@check.must("Nothing waits but through the host: there is no setTimeout.")
def no_timers(child: ChildPeer) -> None:
    child.expect_result("undefined", "export default typeof setTimeout;")


@check.must("args is deeply immutable, and still plain.")
def args_frozen(child: ChildPeer) -> None:
    source = "try { args.a.b = 2; } catch {}\nexport default [args.a.b, JSON.stringify(args)];"
    child.expect_result([1, '{"a":{"b":1}}'], source, args={"a": {"b": 1}})
