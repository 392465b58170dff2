"""Names: which are declared, which a workflow has, and which it lacks."""

from __future__ import annotations

import re

import pytest

from flowcage.child.sandbox.lint.advice import GLOBALS, absent_names
from flowcage.child.sandbox.lint.arguments import OPTIONS
from flowcage.child.sandbox.prelude_source import PRELUDE

from .child_process import ChildProcess
from .lint_reading import found, told

# Each is read in a script whose other names are all declared, and none of it is missing.
DECLARED = [
    "return later(); function later() { return 1; }",
    "log(hoisted); var hoisted = 1; return hoisted;",
    "if (args.x) { var inside = 1; } return inside;",
    "const { a, b: { c }, ...rest } = args; return [a, c, rest];",
    "const [a, , b = a, ...rest] = args.items; return [a, b, rest];",
    "const f = ({ x, y: z = x }, [w], ...more) => [x, z, w, more]; return f({}, []);",
    "const f = async x => x; return await f(1);",
    "function f(a, b = a) { return arguments.length + a + b; } return f(1);",
    "try { JSON.parse(args.t); } catch (error) { return error.message; } return 1;",
    "try { JSON.parse(args.t); } catch ({ message }) { return message; } return 1;",
    "try { JSON.parse(args.t); } catch { return 0; } return 1;",
    "outer: for (const x of args.xs) { for (;;) { if (x) continue outer; break outer; } } return 1;",
    "for (const [key, value] of Object.entries(args)) log(key, value); return 1;",
    "for (let i = 0, n = 3; i < n; i++) log(i); return 1;",
    "let x; for (x of args.xs) log(x); return 1;",
    "class A { #n = 1; static { const t = 1; log(t); } get n() { return this.#n; } } return new A().n;",
    "const B = class Inner { copy() { return new Inner(); } }; return new B().copy() instanceof B;",
    "const f = function self(n) { return n ? self(n - 1) : 0; }; return f(2);",
    "function* g() { yield 1; } return [...g()];",
    "return typeof Date;",
    "return typeof Date === 'undefined' ? 0 : Date.now();",
    "const now = typeof performance !== 'undefined' ? performance.now() : 0; return now;",
    "return globalThis.Date?.now() ?? 0;",
    "const x = { Date: 1, fetch() { return 2; } }; return x.Date + x.fetch();",
    "const console = { log }; console.log(1); return 1;",
    "const fetch = (url) => agent(`read ${url}`); return await fetch('x');",
    "switch (args.k) { case 1: { let s = 1; return s; } default: return 2; }",
    "let a, b; [a, b] = [1, 2]; ({ a, b } = { a, b }); return a + b;",
    "const o = { [args.k]: 1, method(p) { return p; }, set v(value) { log(value); } }; return o;",
    "return ((a, b) => a ?? b)(undefined, NaN);",
    "let n = 0; n++; n += 1; n ??= 2; return n;",
    "const { sleep } = SW.extra; await sleep(1); return 1;",
    "return new Map([[1, 2]]).get(1) ?? new Set().size ?? Reflect ?? Symbol ?? queueMicrotask;",
    "if (true) { function inBlock() { return 1; } log(inBlock()); } return 1;",
    "return args.xs.map((x, i) => x + i).filter(Boolean);",
    "const re = /a(?<n>b)/u; return re.source;",
    "return `${[1].map((x) => `${x}`)}`;",
]
LACKING = [
    ("return Date.now();", "1:8 error absent_global"),
    ("return new Date(args.now);", "1:12 error absent_global"),
    ("const t = Math.random();\nreturn t;", "1:11 error absent_global"),
    ("const fs = require('fs');\nreturn fs;", "1:12 error absent_global"),
    ("console.log(1);\nreturn 1;", "1:1 error absent_global"),
    ("if (args.x) console.log(1);\nreturn 1;", "1:13 warning absent_global"),
    ("try { structuredClone({}); } catch {}\nreturn 1;", "1:7 warning absent_global"),
    ("const f = () => fetch('u');\nreturn 1;", "1:17 warning absent_global"),
    ("function main() { return Date.now(); }\nreturn main();", "1:26 error absent_global"),
    ("if (!args.x) return 0;\nreturn Date.now();", "2:8 warning absent_global"),
    ("return args.x && Date.now();", "1:18 warning absent_global"),
    ("return args.x ? Date.now() : 1;", "1:17 warning absent_global"),
    ("return args.map(() => Date.now());", "1:23 warning absent_global"),
    ("return (() => Date.now())();", "1:15 error absent_global"),
    ("return globalThis.Date.now();", "1:8 warning absent_global"),
    ("return undeclared;", "1:8 error unknown_global"),
    ("{ let inner = 1; log(inner); }\nreturn inner;", "2:8 error unknown_global"),
    ("for (const x of []) log(x);\nreturn x;", "2:8 error unknown_global"),
    ("const f = (a) => a; log(f);\nreturn a;", "2:8 error unknown_global"),
    ("try { log(1); } catch (e) { log(e); }\nreturn e;", "2:8 error unknown_global"),
    ("const { a: b } = args; log(b);\nreturn a;", "2:8 error unknown_global"),
    ("return agnet('x');", "1:8 error unknown_global"),
    ("const o = { missing };\nreturn o;", "1:13 error unknown_global"),
    ("counter = 1;\nreturn 1;", "1:1 error bad_assignment"),
    ("args = {};\nreturn 1;", "1:1 error bad_assignment"),
    ("const a = 1;\na = 2;\nreturn a;", "2:1 error bad_assignment"),
    ("const c = undefined;\nreturn c.depth;", "2:8 error member_of_nothing"),
    ("const lib = await import('./lib.mjs');\nreturn lib;", "1:19 error refused_import"),
]


@pytest.mark.parametrize("source", DECLARED)
def test_what_is_declared_or_asked_for_first_is_not_told(source: str) -> None:
    assert told(source) == []


@pytest.mark.parametrize(("source", "place"), LACKING)
def test_a_name_that_is_not_there_is_told_with_its_place(source: str, place: str) -> None:
    assert told(source) == [place]


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("return agnet('x');", "did you mean agent?"),
        ("return Pipeline([]);", "did you mean pipeline?"),
        ("await sleep(5); return 1;", "use SW.extra.sleep(ms), or import { sleep } from 'workflow:extra'"),
        ("return inputs;", "use args"),
        ("return Date.now();", "a workflow has no clock; pass the time in args"),
        ("counter = 1; return 1;", "declare it: let counter"),
    ],
)
def test_the_hint_says_what_to_use(source: str, hint: str) -> None:
    assert [each.hint for each in found(source)] == [hint]


def test_the_known_globals_are_those_of_a_realm() -> None:
    with ChildProcess() as child:
        child.request("initialize", protocolVersion="1.0", isolation="none")
        names = child.request("run", source="return Object.getOwnPropertyNames(globalThis);")["output"][
            "result"
        ]
    assert set(names) == GLOBALS


def test_no_absent_name_is_a_known_one() -> None:
    assert not absent_names().keys() & GLOBALS
    assert len(absent_names()) > 70


def test_the_known_options_are_those_of_the_prelude() -> None:
    listed = re.search(r"knownOptions = \{([^}]*)\}", PRELUDE.decode())
    assert listed is not None
    assert sorted(re.findall(r"(\w+): 1", listed[1])) == sorted(OPTIONS)
