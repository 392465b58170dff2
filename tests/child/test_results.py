"""From a default export to the result on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

DEFAULTS = {
    "a value": ("export default { a: [1] };", {"a": [1]}),
    "a string": ('export default "text";', "text"),
    "null": ("export default null;", None),
    "a promise": ("export default Promise.resolve(7);", 7),
    "a promise of a promise": ("export default (async () => Promise.resolve([7]))();", [7]),
    "a function": ("export default function (args) { return args.n + 1; }", 3),
    "an arrow": ("export default (args) => args.n;", 2),
    "an async function": ("export default async ({ n }) => n * 5;", 10),
    "a named function": (
        "export default function main({ n }, { log }) { return [n, typeof log]; }",
        [2, "function"],
    ),
    "a binding exported as default": ("const value = 4;\nexport { value as default };", 4),
    "a thenable": ("export default { then(resolve) { resolve(8); } };", 8),
    "a function that returns a thenable": ("export default () => ({ then: (resolve) => resolve(9) });", 9),
    "a thenable of a thenable": ("export default { then: (r) => r({ then: (r2) => r2(1) }) };", 1),
    "an object whose then is no function": ("export default { then: 5 };", {"then": 5}),
    "a generator function": ("export default function* () { yield 1; }", {}),
    "a callable proxy": ("export default new Proxy(() => 6, {});", 6),
    "a bound function": ("export default ((a, b) => a + b.n).bind(null, 1);", 3),
    "an instance": ("class A { x = 1; #y = 2; }\nexport default new A();", {"x": 1}),
}


@pytest.mark.parametrize(("source", "result"), DEFAULTS.values(), ids=DEFAULTS)
def test_a_default_may_be(child: ChildProcess, source: str, result: Any) -> None:
    assert child.result_of(source, args={"n": 2}) == result


def test_a_class_default_is_called_and_fails_as_a_class_does(child: ChildProcess) -> None:
    failure = child.failure_of("export default class { constructor() { this.x = 1; } }")
    assert (failure.kind, failure.data["name"]) == ("exception", "TypeError")
    assert failure.message.startswith("workflow module rejected: ")


def test_a_default_function_is_called_once_however_often_the_host_asks(child: ChildProcess) -> None:
    child.start('export default async () => { log("called"); await agent("a"); return 1; };')
    assert len(child.drain()["calls"]) == 1
    assert child.drain()["calls"] == []
    child.resolve("1", None)
    assert child.result() == 1
    assert child.drain()["calls"] == []


def test_a_default_waits_for_top_level_await(child: ChildProcess) -> None:
    child.start('const x = await agent("a");\nexport default () => ["called", x];')
    assert child.poll()["type"] == "request"
    child.resolve("1", "x")
    assert child.result() == ["called", "x"]


def test_a_default_function_sees_args_and_context_only(child: ChildProcess) -> None:
    assert child.result_of(
        "export default function () { return [arguments.length, this === undefined]; }"
    ) == [2, True]


JSON_VALUES: dict[str, tuple[str, Any]] = {
    "undefined": ("undefined", None),
    "Infinity": ("[Infinity, -Infinity, NaN]", [None, None, None]),
    "negative zero": ("[-0]", [0]),
    "undefined members": ("{ a: undefined, b: [undefined] }", {"b": [None]}),
    "functions": ("{ a() {}, b: [() => 1] }", {"b": [None]}),
    "symbols": ("{ a: Symbol('x'), [Symbol('y')]: 1, b: [Symbol.iterator] }", {"b": [None]}),
    "a function returned": ("() => (() => 1)", None),
    "toJSON of its own": ("{ toJSON() { return { shown: 1 }; } }", {"shown": 1}),
    "toJSON of a class": ("new (class { toJSON(key) { return [key]; } })()", [""]),
    "toJSON of BigInt.prototype": ("((BigInt.prototype.toJSON = () => 'big'), [1n])", ["big"]),
    "toJSON inside": ("{ a: { toJSON: (key) => key } }", {"a": "a"}),
    "toJSON that gives undefined": ("{ toJSON() {} }", None),
    "a toJSON that is no function": ("{ toJSON: 5 }", {"toJSON": 5}),
    "boxed primitives": ("[Object(1), Object('s'), Object(true)]", [1, "s", True]),
    "maps and sets": ("[new Map([[1, 2]]), new Set([1])]", [{}, {}]),
    "a regular expression": ("/x/", {}),
    "an error": ("new Error('x')", {}),
    "a promise inside": ("{ p: Promise.resolve(1) }", {"p": {}}),
    "a proxy": ("new Proxy([1, 2], {})", [1, 2]),
    "an object without a prototype": ("Object.assign(Object.create(null), { a: 1 })", {"a": 1}),
    "inherited members": (
        "Object.create({ hidden: 1 }, { shown: { value: 2, enumerable: true } })",
        {"shown": 2},
    ),
    "a sparse array": ("[1, , 3]", [1, None, 3]),
    "a shared object twice": ("(() => { const s = { a: 1 }; return [s, s]; })()", [{"a": 1}, {"a": 1}]),
    "a member called __proto__": ("JSON.parse('{\"__proto__\": 1}')", {"__proto__": 1}),
    "a lone surrogate": ("['\\ud800', '\\udc00\\ud800']", ["\ud800", "\udc00\ud800"]),
    "NUL and line separators": ("['\\0\\u2028\\u2029\\u0085\\x7f']", ["\x00\u2028\u2029\u0085\x7f"]),
    "astral characters": ("['𝄞', '\\u{1F600}']", ["𝄞", "😀"]),
    "large numbers": (
        "[2 ** 53, 1e21, 5e-324, 1.7976931348623157e308]",
        [2**53, 1e21, 5e-324, 1.7976931348623157e308],
    ),
}


@pytest.mark.parametrize(("expression", "result"), JSON_VALUES.values(), ids=JSON_VALUES)
def test_a_result_crosses_by_the_rules_of_json(child: ChildProcess, expression: str, result: Any) -> None:
    body = expression if expression.startswith("()") else f"({expression})"
    assert child.result_of(f"export default {body};") == result


UNSERIALIZABLE = {
    "a cycle": "const a = { b: {} };\na.b.a = a;\nexport default a;",
    "a cycle in an array": "const a = [];\na.push([a]);\nexport default a;",
    "a BigInt": "export default { a: 1n };",
    "a symbol": "export default Symbol('x');",
    "a getter that throws": 'export default { get a() { throw new Error("no"); } };',
    "a toJSON that throws": 'export default { toJSON() { throw new RangeError("no"); } };',
    "a revoked proxy": "const p = Proxy.revocable({}, {});\np.revoke();\nexport default [p.proxy];",
    "a proxy trap that throws": "export default [new Proxy({}, { ownKeys() { throw 1; } })];",
}


@pytest.mark.parametrize("source", UNSERIALIZABLE.values(), ids=UNSERIALIZABLE)
def test_a_result_that_json_cannot_hold_is_a_serialization_failure(child: ChildProcess, source: str) -> None:
    failure = child.failure_of(source)
    assert failure.kind == "serialization"
    assert -32099 <= failure.code <= -32000
    assert all(isinstance(failure.data[name], str) for name in ("message", "stack"))


@pytest.mark.parametrize("source", UNSERIALIZABLE.values(), ids=UNSERIALIZABLE)
def test_a_promised_result_that_json_cannot_hold_fails_the_same(child: ChildProcess, source: str) -> None:
    head, _, value = source.rpartition("export default ")
    failure = child.failure_of(f"{head}const value = {value}\nexport default async () => value;")
    assert failure.kind == "serialization"


def test_a_serialization_failure_is_repeated(child: ChildProcess) -> None:
    failure = child.failure_of("export default 1n;")
    assert child.failure().data == failure.data


def test_a_thenable_that_rejects_fails_the_run(child: ChildProcess) -> None:
    failure = child.failure_of('export default { then(_, reject) { reject(new Error("no")); } };')
    assert (failure.kind, failure.message) == ("exception", "workflow module rejected: no")


def test_a_then_getter_that_throws_fails_the_run(child: ChildProcess) -> None:
    failure = child.failure_of('export default { get then() { throw new Error("no then"); } };')
    assert failure.kind == "exception"
    assert "no then" in failure.message


def test_a_getter_in_a_result_may_still_call_log(child: ChildProcess) -> None:
    child.start('export default { get a() { log("read"); return 1; } };')
    drained = child.drain()
    assert drained["output"] == {"result": {"a": 1}}
    assert [call["values"] for call in drained["calls"]] == [["read"]]
