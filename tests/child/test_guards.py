"""Each guard of the prelude alone: what a workflow could do if that one line were missing."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess


def test_a_thenable_is_awaited_by_the_promise_the_language_had(child: ChildProcess) -> None:
    source = "globalThis.Promise = class {}; export default { then(resolve) { resolve(5); } };"
    assert child.result_of(source) == 5


def test_what_a_helper_throws_is_of_the_class_the_language_had(child: ChildProcess) -> None:
    source = """
        const shown = (call) => { try { call(); } catch (e) { return e.name; } };
        globalThis.TypeError = globalThis.RangeError = class { name = "forged"; };
        export default [shown(() => agent(5)), shown(() => SW.extra.sleep(1e300))];
    """
    assert child.result_of(source) == ["TypeError", "RangeError"]


def test_a_thrown_primitive_is_shown_by_the_string_the_language_had(child: ChildProcess) -> None:
    failure = child.failure_of('globalThis.String = () => "forged"; export default () => { throw 42; };')
    assert failure.data["message"] == "42"


@pytest.mark.parametrize(
    ("pollution", "value", "text"),
    [
        ("globalThis.Object = () => 'x'", "1n", "big"),
        ("Number.prototype.valueOf = () => 9", "Object(5)", 5),
        ("String.prototype.valueOf = () => 'forged'", "Object('s')", "s"),
        ("Boolean.prototype.valueOf = () => false", "Object(true)", True),
    ],
)
def test_a_value_is_unwrapped_by_the_functions_the_language_had(
    child: ChildProcess, pollution: str, value: str, text: Any
) -> None:
    source = f"""
        Object.prototype.toJSON = undefined;
        BigInt.prototype.toJSON = () => "big";
        const value = {value};
        {pollution};
        export default [value];
    """
    assert child.result_of(source) == [text]


def test_a_getter_is_never_taken_for_data_whatever_descriptors_inherit(child: ChildProcess) -> None:
    source = """
        Object.prototype.value = "forged";
        const error = Object.defineProperty(new Error("x"), "cause", { __proto__: null, get: () => 1 });
        export default () => { throw error; };
    """
    assert "cause" not in child.failure_of(source).data


@pytest.mark.parametrize("pollution", ["", "Object.prototype.toJSON = undefined;"])
def test_a_value_too_deep_is_refused_at_the_call_polluted_or_not(child: ChildProcess, pollution: str) -> None:
    child.initialize(stackBytes=4 << 20)  # the polluted serializer is JavaScript, and recurses
    source = f"""{pollution}
        const shown = (value) => {{
            try {{ log(value); }} catch (e) {{ return `${{e.name}}: ${{e.message}}`; }}
        }};
        let deep = [];
        for (let i = 0; i < 500; i++) deep = [deep];
        export default [shown(deep), shown(deep[0])];
    """
    assert child.result_of(source) == ["RangeError: nested more than 500 levels deep", None]


def test_a_value_of_too_many_values_is_refused_at_the_call(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=15_000)
    source = """
        const wide = new Array(950).fill(new Array(1000).fill(0));
        let message;
        try { agent("x", { wide }); } catch (e) { message = `${e.name}: ${e.message}`; }
        export default message;
    """
    assert child.result_of(source) == "RangeError: more than 900000 values"


@pytest.mark.parametrize("pollution", ["", "Object.prototype.toJSON = undefined;"])
def test_depth_counts_what_is_nested_and_not_what_stands_side_by_side(
    child: ChildProcess, pollution: str
) -> None:
    source = f"{pollution} export default Array.from({{ length: 2000 }}, () => [[]]);"
    assert child.result_of(source) == [[[]]] * 2000


def test_the_first_limit_is_the_one_that_ends_the_run(child: ChildProcess) -> None:
    child.initialize(maxPendingRequests=1, maxQueuedBytes=5000)
    child.start("""
        agent("x");
        for (const call of [() => log("x".repeat(6000)), () => agent("y")]) try { call(); } catch {}
        export default 1;
    """)
    assert "maxQueuedBytes" in child.failure().message


def test_nothing_is_queued_after_a_limit_that_was_caught(child: ChildProcess) -> None:
    child.initialize(maxPendingRequests=1)
    child.start("""
        agent("kept");
        for (const call of [() => agent("over"), () => phase("after"), () => log("after"), () => log()])
            try { call(); } catch {}
        export default 1;
    """)
    drained = child.drain()
    assert (drained["state"], drained["calls"]) == ("pending", [])
    assert [request["prompt"] for request in drained["requests"]] == ["kept"]
    assert child.failure().kind == "limit"


def test_a_polluted_serializer_cannot_hide_that_a_limit_was_met(child: ChildProcess) -> None:
    child.initialize(maxPendingRequests=1)
    source = """
        agent("a");
        Object.prototype.toJSON = () => null;
        try { agent("b"); } catch {}
        export default 1;
    """
    assert child.failure_of(source).kind == "limit"


def test_functions_and_symbols_cross_under_pollution_as_they_always_do(child: ChildProcess) -> None:
    source = """
        Object.prototype.toJSON = undefined;
        export default [() => 1, { a() {}, b: 2 }, class {}, Symbol("s"), undefined, Infinity, -0];
    """
    assert child.result_of(source) == [None, {"b": 2}, None, None, None, None, 0]


@pytest.mark.parametrize("index", ["0", "1", "2", "3"])
def test_setters_on_object_prototype_see_nothing_of_a_value(child: ChildProcess, index: str) -> None:
    child.start(
        f"Object.defineProperty(Object.prototype, '{index}', {{ set() {{ throw new Error('seen') }} }});"
        "log({ a: [1, [2]] }); export default () => ({ a: [1, [2]] })"
    )
    drained = child.drain()
    assert [call["values"] for call in drained["calls"]] == [[{"a": [1, [2]]}]]
    assert drained["output"] == {"result": {"a": [1, [2]]}}


@pytest.mark.parametrize("pollution", ["", "Object.prototype.toJSON = undefined;"])
@pytest.mark.parametrize("value", ["cycle", "1n", "[2n]"])
def test_what_json_cannot_hold_is_a_type_error_polluted_or_not(
    child: ChildProcess, pollution: str, value: str
) -> None:
    source = f"""{pollution}
        const cycle = [];
        cycle.push([cycle]);
        BigInt.prototype.toJSON = () => 3n;
        try {{ log({value}); }} catch (e) {{ log(e.name); }}
        export default 1;
    """
    assert child.logs_of(source) == [["TypeError"]]


def test_no_promise_is_led_astray_by_another_constructor_and_then_together(child: ChildProcess) -> None:
    source = """
        try { Promise.prototype.constructor = class {}; } catch {}
        Promise.prototype.then = () => {};
        export default parallel([async () => 1, () => pipeline([2], async (n) => n)]);
    """
    assert child.result_of(source) == [1, [2]]
