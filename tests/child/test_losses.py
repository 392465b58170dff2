"""What JSON empties is told once for each place, and crosses as JSON has it."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

KINDS = ("lost_value", "promise_in_value", "object_in_prompt")


def notes(child: ChildProcess, source: str) -> list[dict[str, Any]]:
    """Run to the end with every request answered by null; the notes on losses."""
    child.start(source)
    while True:
        drained = child.drain()
        if drained["state"] == "complete":
            return [note for note in drained.get("diagnostics", []) if note["kind"] in KINDS]
        for request in drained["requests"]:
            child.resolve(request["id"], None)


LOST = {
    "a Set": ("new Set([1])", "{}", "[...set]"),
    "a Map": ("new Map([[1, 2]])", "{}", "Object.fromEntries(map)"),
    "an Error": ("new Error('x')", "{}", "message"),
    "an Error of a class": ("new (class Mine extends TypeError {})('x')", "{}", "message"),
    "a RegExp": ("/x/", "{}", "String(regexp)"),
    "an iterator": ("[1].values()", "{}", "[...iterator]"),
    "a generator": ("(function* () {})()", "{}", "[...iterator]"),
    "an async generator": ("(async function* () {})()", "{}", "Array.fromAsync"),
    "a weak collection": ("new WeakMap()", "{}", "use a Map"),
    "a Set of a class": ("new (class Mine extends Set {})()", "{}", "[...set]"),
    "a promise": ("Promise.resolve(1)", "{}", "await it first"),
    "NaN": ("0 / 0", "null", "NaN"),
    "Infinity": ("1 / 0", "null", "Infinity"),
    "a function": ("() => 1", "is left out", "JSON holds data only"),
    "a class": ("class {}", "is left out", "JSON holds data only"),
    "a symbol": ("Symbol('x')", "is left out", "its description"),
}


@pytest.mark.parametrize("pollution", ["", "Object.prototype.toJSON = undefined;"], ids=["", "polluted"])
@pytest.mark.parametrize(("value", "became", "advice"), LOST.values(), ids=LOST)
def test_a_lost_value_is_told_with_its_place_what_it_became_and_what_to_do(
    child: ChildProcess, value: str, became: str, advice: str, pollution: str
) -> None:
    (note,) = notes(child, f"{pollution} export default {{ a: [0, {{ seen: {value} }}] }};")
    assert note["kind"] == ("promise_in_value" if value.startswith("Promise") else "lost_value")
    assert note["message"].startswith("result.a[1].seen is ")
    assert note["path"] == "/a/1/seen"
    assert became in note["message"]
    assert advice in note["message"]


PLAIN = {
    "plain data": "{ a: [1, -0, 1.5, 's', true, null, undefined], b: { c: [] } }",
    "a class with members": "new (class A { x = 1; m() {} })()",
    "an own toJSON": "Object.assign(new Set(), { toJSON: () => 1 })",
    "a toJSON of its class": "new (class extends Map { toJSON() { return [...this]; } })()",
    "boxed primitives": "[Object(1), Object('s'), Object(true)]",
    "no prototype": "Object.create(null)",
    "a proxy": "new Proxy({ a: 1 }, {})",
    "a proxy that hides its prototype": "new Proxy({}, { getPrototypeOf() { throw 1; } })",
    "args": "args",
    "undefined": "undefined",
}


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_what_loses_nothing_is_not_told(child: ChildProcess, value: str) -> None:
    assert notes(child, f"export default () => ({value});") == []


@pytest.mark.parametrize(
    ("value", "became"),
    [("0 / 0", "null"), ("() => 1", "null"), ("function* () {}", "null"), ("new Set()", "{}")],
)
def test_a_result_that_is_lost_as_a_whole_is_told(child: ChildProcess, value: str, became: str) -> None:
    (note,) = notes(child, f"const value = {value}; export default () => value;")
    assert note["message"].startswith("result is ")
    assert f"crosses as {became}" in note["message"]
    assert note["path"] == ""


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("log(1, { seen: new Set() })", "values[1].seen of log() is a Set"),
        ("log(new Set())", "values[0] of log() is a Set"),
        ("log(NaN)", "values[0] of log() is NaN"),
        (
            "agent('x', { label: 'l', context: { seen: new Set() } })",
            "options.context.seen of agent() is a Set",
        ),
        ("workflow('w', { seen: new Set() })", "args.seen of workflow() is a Set"),
        ("workflow('w', new Set())", "args of workflow() is a Set"),
        ("phase('p', { seen: new Set() })", "options.seen of phase() is a Set"),
    ],
)
def test_the_call_that_lost_it_is_told_with_its_line(child: ChildProcess, call: str, place: str) -> None:
    (note,) = notes(child, f"const a = 1;\n{call};\nreturn a;")
    assert note["message"].startswith(f"{place} and crosses as ")
    assert "(workflow.js:2:" in note["message"]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("for (let i = 0; i < 50; i++) log({ seen: new Set() }); return 1;", 1),
        ("log(new Set());\nlog(new Set()); return 1;", 2),
        ("return Array.from({ length: 50 }, () => ({ at: new Set() }));", 1),
        ("return Array.from({ length: 50 }, () => [NaN, [NaN]]);", 2),
        ("return { a: new Set(), b: new Set() };", 2),
        ("return Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, NaN]));", 30),
    ],
)
def test_there_is_one_note_for_a_place_and_a_bound_for_all(
    child: ChildProcess, source: str, count: int
) -> None:
    assert len(notes(child, source)) == count


def test_losses_leave_room_for_other_notes(child: ChildProcess) -> None:
    child.start("""
        log(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, NaN])));
        export default await parallel([() => { throw new Error("boom"); }, () => 1]);
    """)
    kinds = [note["kind"] for note in child.drain()["diagnostics"]]
    assert kinds == ["lost_value"] * 30 + ["swallowed_error"]


def test_members_are_named_as_javascript_and_json_pointer_write_them(child: ChildProcess) -> None:
    (note,) = notes(child, 'export default { "a~/b": [{ "": { $x_1: NaN } }] };')
    assert note["message"].startswith('result["a~/b"][0][""].$x_1 is NaN')
    assert note["path"] == "/a~0~1b/0//$x_1"


def test_very_long_names_and_deep_ways_are_told_in_part(child: ChildProcess) -> None:
    source = """
        let deep = { seen: NaN };
        for (let i = 0; i < 400; i++) deep = { deep };
        export default { ["k".repeat(1e6)]: NaN, deep };
    """
    first, second = notes(child, source)
    assert "k" * 100 in first["message"]
    assert len(first["message"]) < 500
    assert second["path"].endswith("/deep/seen")


def test_no_code_of_the_workflow_runs_for_a_note(child: ChildProcess) -> None:
    source = """
        let ran = 0;
        const spy = { get() { ran += 1; return undefined; }, configurable: true };
        for (const name of ["size", "message", "name", "source", "next", Symbol.toStringTag]) {
            for (const type of [Set, Map, Error, RegExp, Promise])
                Object.defineProperty(type.prototype, name, spy);
        }
        log([new Set(), new Map(), new Error(), /x/, Promise.resolve()]);
        export default ran;
    """
    child.start(source)
    drained = child.drain()
    assert drained["output"] == {"result": 0}
    assert len(drained["diagnostics"]) == 1  # items of one array


def test_a_trap_that_throws_while_a_note_is_looked_for_costs_nothing(child: ChildProcess) -> None:
    source = """
        const value = new Proxy({ a: 1 }, { getPrototypeOf() { throw new Error("trap"); } });
        log(value); export default value;
    """
    assert child.result_of(source) == {"a": 1}


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("Promise.resolve()", "'[object Promise]': await it first"),
        ("agent", "'[object Promise]': await it first"),
        ("{}", "'[object Object]': use JSON.stringify(value)"),
        ("new Map()", "'[object Map]': use JSON.stringify([...map])"),
        ("new Set()", "'[object Set]': use JSON.stringify([...set])"),
        ("(function* () {})()", "'[object Generator]'"),
        ("[].values()", "'[object Array Iterator]'"),
    ],
)
def test_an_object_in_the_text_of_a_prompt_is_told(child: ChildProcess, value: str, advice: str) -> None:
    value = "agent('y')" if value == "agent" else value
    source = f"const value = {value};\nawait agent(`Look at ${{value}} and ${{value}}`);\nreturn 1;"
    (note,) = notes(child, source)
    assert note["kind"] == "object_in_prompt"
    assert note["message"].startswith("the prompt of agent() (workflow.js:2:")
    assert advice in note["message"]


def test_prompts_that_hold_no_object_are_not_told(child: ChildProcess) -> None:
    assert notes(child, "for (const p of ['', '[object', '[object X]', 'object']) agent(p); return 1;") == []


def test_prompts_without_end_are_told_of_up_to_a_bound(child: ChildProcess) -> None:
    lines = "\n".join("agent(`${{}}`);" for _ in range(100))
    assert len(notes(child, f"{lines}\nreturn 1;")) == 30
