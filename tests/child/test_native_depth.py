"""Chains and nesting without bound: each ends in a typed failure or a result, none in a dead child."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess, Refused

# Overflows 8 MiB of C stack with frames of 27 bytes.
LEVELS = 300_000
TYPED = {"stack", "memory", "limit", "timeout", "exception", "serialization", "syntax"}
_PROXY = "new Proxy(c, {})"
_OBJECT_USES = [
    "c.a", "c.a = 1", "'a' in c", "delete c.a", "Object.keys(c)", "Object.getPrototypeOf(c) === null",
    "({ ...c })",
    "Object.setPrototypeOf(c, null)", "Object.isExtensible(c)", "Object.freeze(c)", "c instanceof Array",
    "Object.getOwnPropertyDescriptor(c, 'a')", "Object.defineProperty(c, 'b', { value: 1 })", "`${c}`",
    "JSON.stringify(c)", "Object.prototype.toString.call(c)", "Array.isArray(c)",
    "[].concat(c).length", "await c",
    "structuredClone?.(c)", "(() => { for (const k in c) return k; })()", "(() => { throw c; })()",
    "c", "log(c)",
]  # fmt: skip
_FUNCTION_USES = ["c()", "new c()", "({}) instanceof c", "Reflect.construct(Array, [], c)", "c.name.length"]
_ITERATOR_USES = ["c.toArray()", "c.next()", "c.return()", "[...c]", "c.map((x) => x).next()", "1"]

# What is nested: its beginning, one level more of it (`c`), and what is then done with it.
CHAINS: dict[str, tuple[str, str, list[str]]] = {
    "map": ("[1].values()", "c.map((x) => x)", _ITERATOR_USES),
    "filter": ("[1].values()", "c.filter((x) => x)", ["c.toArray()"]),
    "take": ("[1].values()", "c.take(5)", ["c.toArray()"]),
    "drop": ("[1].values()", "c.drop(0)", ["c.toArray()"]),
    "flatMap": ("[1].values()", "c.flatMap((x) => [x])", _ITERATOR_USES),
    "inner iterators": ("[1].values()", "[0].values().flatMap((p => () => p)(c))", ["c.toArray()"]),
    "Iterator.concat": ("[1].values()", "Iterator.concat(c)", _ITERATOR_USES),
    "helpers of a generator": ("(function* () { yield 1; })()", "c.map((x) => x)", _ITERATOR_USES),
    "wrapped iterators": ("Iterator.from({ next: () => ({ done: true }) })", "wrap(c)",
                     ["next(c)", "close(c)"]),
    "wrapped iterators that end": ("Iterator.from({ next: () => ({}) })", "wrap(c, true)", ["next(c)"]),
    "iterators of iterators": ("{ next: () => ({ done: true }) }", "Iterator.from({ next: c.next.bind(c) })",
                               ["c.toArray()"]),
    "bound functions": ("function () {}", "c.bind()", _FUNCTION_USES),
    "bound species": ("Array", "c.bind()", ["Object.assign([1], { constructor: c }).map((x) => x)"]),
    "proxies of an object": ("{ a: 1 }", _PROXY, _OBJECT_USES),
    "proxies of an array": ("[1]", _PROXY, _OBJECT_USES),
    "proxies of a function": ("function () {}", _PROXY, [*_FUNCTION_USES, "typeof c", "String(c)"]),
    "proxies of a thenable": ("{ then(r) { r(1); } }", _PROXY, ["await c", "c"]),
    "proxies of an error": ("new Error()", _PROXY, ["Error.isError(c)", "c.stack", "(() => { throw c; })()"]),
    "proxies of a pattern": ("/a/", _PROXY, ["'a'.search(c)", "'a'.replace(c, '')"]),
    "proxies as handlers": ("{}", "new Proxy({}, c)", ["c.a", "'a' in c"]),
    "prototypes": ("{}", "Object.create(c)", _OBJECT_USES),
    "proxies as prototypes": ("{}", "Object.create(new Proxy(c, {}))", _OBJECT_USES),
    "arrays": ("[1]", "[c]", ["c.flat(Infinity)", "String(c)", "JSON.stringify(c)", "c", "log(c)", "1"]),
    "objects": ("{}", "{ c }", ["JSON.stringify(c)", "c", "agent('x', c)", "(c = null)"]),
    "toJSON": ("{}", "((d) => ({ toJSON: () => d }))(c)", ["JSON.stringify(c)", "c"]),
    "toString": ("'a'", "((d) => ({ toString: () => String(d) }))(c)", ["String(c)", "({})[c]"]),
    "valueOf": ("1", "((d) => ({ valueOf: () => +d }))(c)", ["+c", "c < 1"]),
    "toPrimitive": ("1", "((d) => ({ [Symbol.toPrimitive]: () => +d }))(c)", ["+c"]),
    "getters": ("{ a: 1 }", "((d) => ({ get a() { return d.a; } }))(c)", ["c.a"]),
    "closures": ("() => 1", "((d) => () => d())(c)", ["c()", "(c = null)"]),
    "classes": ("class {}", "class extends c {}", ["new c()", "c.name.length"]),
    "constructors": ("class {}", "class extends c { constructor() { super(); } }", ["new c()"]),
    "statics": ("class { static m() {} }", "class extends c { static m() { super.m(); } }", ["c.m()"]),
    "hasInstance": ("class {}", "((d) => ({ [Symbol.hasInstance]: (x) => x instanceof d }))(c)",
                    ["({}) instanceof c"]),
    "maps": ("new Map()", "new Map([[c, c]])", ["(c = null)"]),
    "causes": ("new Error('x')", "new Error('y', { cause: c })", ["(() => { throw c; })()", "(c = null)"]),
    "aggregates": ("new Error('x')", "new AggregateError([c])", ["(() => { throw c; })()"]),
    "promises": ("Promise.resolve(1)", "c.then((x) => x)", ["await c"]),
    "adopted promises": ("Promise.resolve(1)", "((d) => new Promise((r) => r(d)))(c)", ["await c"]),
    "pending promises": ("new Promise(() => {})", "c.then((x) => x)", ["(c = null)"]),
    "Promise.all": ("1", "Promise.all([c])", ["typeof await c"]),
    "thenables": ("{ then(r) { r(1); } }", "((d) => ({ then(r) { r(d); } }))(c)", ["await c", "c"]),
    "thenables at once": ("{ then(r) { r(1); } }", "((d) => ({ then(r) { d.then(r); } }))(c)", ["await c"]),
    "async functions": ("async () => 1", "((d) => async () => await d())(c)", ["await c()"]),
    "generators": ("[1].values()", "(function* (d) { yield* d; })(c)", ["[...c]", "(c = null)"]),
    "async generators": ("(async function* () {})()", "(async function* (d) { yield* d; })(c)",
                         ["await c.next()"]),
    "strings on the left": ("'x'.repeat(9000)", "c + 'y'",
                     ["c.charCodeAt(3)", "({ [c]: 1 })", "c < `${c}z`"]),
    "strings on the right": ("'x'.repeat(9000)", "'y' + c", ["c.charCodeAt(3)", "(c = null)"]),
    "strings on both sides": ("'x'.repeat(9000)", "'y' + c + 'z'", ["c.charCodeAt(3)", "[c, c].join()"]),
}  # fmt: skip
_WRAP = """const proto = Object.getPrototypeOf(Iterator.from({ next() {} }));
const next = (c) => Reflect.apply(proto.next, c, []), close = (c) => Reflect.apply(proto.return, c, []);
const above = { next: proto.next, return: proto.return }, ending = { ...above, next: proto.return };
const wrap = (c, ends) => Iterator.from(Object.setPrototypeOf(c, ends ? ending : above));
"""

# Text that is compiled: what opens each level, what is in the middle, what closes each level.
NESTED: dict[str, tuple[str, str, str]] = {
    "parentheses": ("(", "1", ")"), "arrays": ("[", "1", "]"), "objects": ("({a:", "1", "})"),
    "templates": ("`${", "1", "}`"), "arrows": ("()=>", "1", ""),
    "functions": ("(function(){return ", "1", "})"),
    "then": ("1?", "1", ":1"), "else": ("1?1:", "1", ""), "unary": ("- ", "1", ""),
    "typeof": ("typeof ", "1", ""),
    "new": ("new ", "Object", ""), "await": ("await ", "1", ""), "power": ("2**", "1", ""),
    "comma": ("1,", "1", ""),
    "sum": ("1+", "1", ""), "and": ("1&&", "1", ""), "nullish": ("1??", "1", ""), "member": ("a", "", ".b"),
    "call": ("f", "", "()"), "chain": ("a", "", "?.b"), "tagged": ("f", "", "``"), "index": ("a[", "0", "]"),
    "arguments": ("f(", "0", ")"), "spread": ("[...", "[]", "]"),
    "class": ("(class extends ", "Object", "{})"),
    "static": ("(class{static x=", "1", "})"), "computed": ("(class{[", "1", "](){}})"),
    "import": ("import(", "'x'", ")"),
    "yield": ("function*(){yield ", "1", "}"), "default": ("(a=", "1", ")=>1"), "groups": ("/(?:", "a", ")/"),
}  # fmt: skip
STATEMENTS = {
    "blocks": ("{", "", "}"), "if": ("if(1)", ";", ""), "else": ("if(0);else ", ";", ""),
    "do": ("do ", ";", " while(0);"),
    "try": ("try{", "", "}finally{}"), "switch": ("switch(1){case 1:", "", "}"),
    "functions": ("function f(){", "", "}"),
    "static": ("class A{static{", "", "}}"), "loops": ("for(;0;)", ";", ""),
    "patterns": ("let [", "a", "]=1;"),
}  # fmt: skip
PATTERNS = ["(?:", "(?=", "(?!", "(?<=", "(?<!", "(?i:"]


def survives(child: ChildProcess, source: str, **params: Any) -> None:
    """The child is asked for everything, and its exit checked by the fixture."""
    child.initialize(stepTimeoutMs=10_000, memoryBytes=256 << 20)
    kind = None
    try:
        child.start(source, **params)
        drained = child.drain()
        if drained.get("more"):
            child.drain()
    except Refused as refusal:
        kind = refusal.kind
    assert kind is None or kind in TYPED


def chain(name: str, use: str, levels: int = LEVELS) -> str:
    start, step, _ = CHAINS[name]
    return f"{_WRAP}let c = {start};\nfor (let i = 0; i < {levels}; i++) c = {step};\nreturn {use};"


@pytest.mark.parametrize(
    ("name", "use"),
    [(name, use) for name in list(CHAINS)[:11] for use in CHAINS[name][2]],
)
def test_iterators_over_iterators_never_overflow_the_c_stack(
    child: ChildProcess, name: str, use: str
) -> None:
    survives(child, chain(name, use), dialect="script")


def test_inner_iterators_that_were_begun_one_by_one_do_not_either(child: ChildProcess) -> None:
    survives(
        child,
        "let c = Array.from({ length: 40_000 }, (_, i) => i).values();"
        "for (let i = 0; i < 6000; i++) { const p = c; c = [0].values().flatMap(() => p); c.next(); }"
        "return c.next();",
        dialect="script",
    )


@pytest.mark.parametrize("method", ["map", "take", "flatMap"])
def test_iterators_that_nest_too_deep_throw_what_recursion_throws(child: ChildProcess, method: str) -> None:
    use = "(() => { try { return c.toArray(); } catch (error) { return `${error}`; } })()"
    source = chain(method, use, 30_000)
    assert child.result_of(source, dialect="script") == "RangeError: Maximum call stack size exceeded"


@pytest.mark.parametrize("method", ["map", "take", "flatMap", "Iterator.concat"])
def test_hundreds_of_iterators_may_be_nested(child: ChildProcess, method: str) -> None:
    assert child.result_of(chain(method, "c.toArray()", 400), dialect="script") == [1]


def test_helpers_of_iterators_are_what_they_were(child: ChildProcess) -> None:
    source = """const seen = [];
for (const it of [[1].values().map((x) => x), Iterator.from({ next() {} })]) {
  const prototype = Object.getPrototypeOf(it);
  for (const name of ['next', 'return']) {
    const { value: f, ...rest } = Object.getOwnPropertyDescriptor(prototype, name);
    seen.push([f.name, f.length, String(f), Object.getOwnPropertyNames(f), 'prototype' in f, rest]);
  }
}
return [seen, [1, 2, 3].values().flatMap((x) => [x, x]).drop(1).take(3).toArray()];"""
    attributes = {"writable": True, "enumerable": False, "configurable": True}
    seen, values = child.result_of(source, dialect="script")
    assert values == [1, 2, 2]
    assert seen == [
        [name, 0, f"function {name}() {{\n    [native code]\n}}", ["length", "name"], False, attributes]
        for name in ("next", "return", "next", "return")
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "use"), [(name, use) for name in list(CHAINS)[11:] for use in CHAINS[name][2]]
)
@pytest.mark.parametrize("levels", [2_000, 40_000, LEVELS])
def test_a_chain_of_anything_leaves_the_child_alive(
    child: ChildProcess, name: str, use: str, levels: int
) -> None:
    survives(child, chain(name, use, levels), dialect="script")


@pytest.mark.thorough
@pytest.mark.parametrize("levels", [2_000, 15_000, 200_000])
@pytest.mark.parametrize("name", NESTED)
def test_an_expression_nested_in_itself_leaves_the_child_alive(
    child: ChildProcess, name: str, levels: int
) -> None:
    opening, middle, closing = NESTED[name]
    survives(child, f"let a, f; export default {opening * levels}{middle}{closing * levels};")


@pytest.mark.thorough
@pytest.mark.parametrize("levels", [2_000, 15_000, 200_000])
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_nested_in_itself_leaves_the_child_alive(
    child: ChildProcess, name: str, levels: int
) -> None:
    opening, middle, closing = STATEMENTS[name]
    survives(child, f"{opening * levels}{middle}{closing * levels}\nexport default 1;")


@pytest.mark.thorough
@pytest.mark.parametrize("levels", [2_000, 300_000])
@pytest.mark.parametrize("opening", PATTERNS)
def test_a_pattern_nested_in_itself_leaves_the_child_alive(
    child: ChildProcess, opening: str, levels: int
) -> None:
    source = f"return new RegExp('{opening}'.repeat({levels}) + 'a' + ')'.repeat({levels})).test('aaa');"
    survives(child, source, dialect="script")
