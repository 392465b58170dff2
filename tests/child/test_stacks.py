"""What JavaScript reads in `stack`: the author's frames, and none of the prelude's."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess

STACKS = {
    "an error of the body": 'new Error("x").stack',
    "an error in a task": '(await parallel([() => new Error("x").stack]))[0]',
    "an error in a stage": '(await pipeline([1], () => new Error("x").stack))[0]',
    "an error in a getter that log reads": (
        '(() => { let s; log({ get a() { s = new Error("x").stack; } }); return s; })()'
    ),
    "an error in toJSON": '(() => { let s; log({ toJSON() { s = new Error("x").stack; } }); return s; })()',
    "an error that agent throws": "(() => { try { agent(5); } catch (e) { return e.stack; } })()",
    "an error that sleep throws": "(() => { try { SW.extra.sleep(-1); } catch (e) { return e.stack; } })()",
    "an error of parallel": "await parallel(5).catch((e) => e.stack)",
    "a denial": "(() => { try { Math.random(); } catch (e) { return e.stack; } })()",
    "a captured one": "(() => { const o = {}; Error.captureStackTrace(o); return o.stack; })()",
    "one captured in a task": (
        "(await parallel([() => { const o = {}; Error.captureStackTrace(o); return o.stack; }]))[0]"
    ),
    "through the accessor": (
        'Object.getOwnPropertyDescriptor(Error.prototype, "stack").get.call(new Error("x"))'
    ),
    "through Reflect.get": 'Reflect.get(new TypeError("x"), "stack")',
}


@pytest.mark.parametrize("expression", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("end", ["return", "export default"])
def test_javascript_sees_the_authors_frames_only(child: ChildProcess, expression: str, end: str) -> None:
    stack = child.result_of(f"\n\n{end} {expression};", sourceName="w.js")
    assert "w.js:3:" in stack
    assert "flowcage:" not in stack


def test_a_rejected_request_shows_the_call_and_nothing_of_the_prelude(child: ChildProcess) -> None:
    child.start('\nreturn await agent("x").catch((e) => e.stack);', sourceName="w.js")
    child.drain()
    child.settle("1", {"type": "error", "message": "no"})
    stack = child.result()
    assert "w.js:2:" in stack
    assert "flowcage:" not in stack


@pytest.mark.parametrize("value", ["undefined", "5", "{}", "null"])
def test_what_is_no_error_has_no_stack(child: ChildProcess, value: str) -> None:
    source = f"""
        const {{ get }} = Object.getOwnPropertyDescriptor(Error.prototype, "stack");
        let seen; try {{ seen = typeof get.call({value}); }} catch (e) {{ seen = e.name; }}
        export default seen;
    """
    assert child.result_of(source) in ("undefined", "TypeError")


def test_a_stack_can_still_be_assigned_and_captured_where_the_language_allows_it(child: ChildProcess) -> None:
    source = """
        const error = new Error("x"); error.stack = "mine";
        const capture = (target) => { try { Error.captureStackTrace(target); } catch (e) { return e.name; } };
        export default [error.stack, capture(5), capture(new Error("x"))];
    """
    assert child.result_of(source) == ["mine", "TypeError", None]
