"""Programs that run and look wrong: what the linter must not tell of them, or not as an error."""

from __future__ import annotations

import pytest

from flowcage.child.sandbox.reading.syntax import Syntax

from .lint_reading import subject, told

# The grammar reads `await` before a parenthesis, a bracket or a template as a name.
AWAITS = [
    "return await (async () => 1)();",
    "return await (async () => 1)().catch(() => 2);",
    "return await (args.a ?? args.b)('x')[0].c`t`;",
    "return await (await (args.f)())?.x;",
    "return await ['a'].reduce(async (p, x) => [...(await p), x], Promise.resolve([]));",
    "const [a, b] = await [1, 2]; return a + b;",
    "return (await `t${args.x}`) + 1;",
    "for (const x of await (args.f)()) log(x); return 1;",
    "async function f() { return await (args.g)() + await [1].length; } return await f();",
    "const all = [agent('a')]; return await (Promise.all(all));",
]
# A place that is not reached, or throws into something that catches it.
NOT_SURE = [
    "async function f() { return Date.now(); }\nreturn await f().catch(() => 0);",
    "async function f() { return Date.now(); }\nconst p = f(); try { await p; } catch {}\nreturn 1;",
    "async function f() { return Date.now(); }\nreturn (await Promise.allSettled([f()])).length;",
    "async function f() { return Date.now(); }\nconst g = () => f(); return await g().catch(() => 0);",
    "return await (async () => Date.now())().catch(() => 0);",
    "function* g() { yield Date.now(); }\nconst it = g(); return typeof it;",
    "const o = { t: 1 }; o.t ??= Date.now(); return o.t;",
    "let t = 1; t ||= Date.now(); return t;",
    "let t = 0; t &&= Date.now(); return t;",
    "const h = args.h; h?.on.fire(Date.now()); return 1;",
    "const h = args.h; h?.on[Date.now()].x(); return 1;",
    "function f() { try { return Date.now(); } finally { return 1; } }\nreturn f();",
    "return await parallel([agent('x')]).catch(() => 0);",
    "return await pipeline([1], 'x').catch(() => 0);",
    "return await agent('x', { timeoutMs: 0 }).catch(() => 0);",
    "return await import('node:fs').catch(() => 0);",
    "const p = parallel([agent('x')]); try { await p; } catch { return 0; }\nreturn 1;",
]
SURE = [
    "async function f() { return Date.now(); }\nreturn await f();",
    "async function f() { return Date.now(); }\nreturn f();",
    "const f = async () => Date.now(); const g = async () => f();\nreturn await (g());",
    "return await (async () => Date.now())();",
    "const h = args.h; (h?.on).fire(Date.now()); return 1;",
    "try { log(Date.now()); } finally { log('end'); }\nreturn 1;",
    "return await parallel([agent('x')]);",
    "return parallel([agent('x')]);",
    "return await agent('x', { timeoutMs: 0 });",
    "await import('node:fs'); return 1;",
    "return await agent(42).catch(() => 0);",
]
NOT_TOLD = [
    "async function* g() { yield await agent('a'); }\nconst it = g(); return (await it.next()).value;",
    "async function* g() { yield await agent('a'); }\nfor await (const x of g()) log(x);\nreturn 1;",
    "const Promise = { all: (l) => l.map((f) => f()) }; return Promise.all([() => 1]);",
    "const String = (x) => x; const p = agent('x'); String(p); return await p;",
    "if ('Date' in globalThis) log(Date.now()); return 1;",
    "if (globalThis.Date) log(Date.now()); return 1;",
    "const q = ['a']; while (true) { const x = q.shift(); if (!x) break; "
    "try { await agent(x); } catch { log('no'); } } return 1;",
    "let n = 0; for (;;) { const r = await agent('x').catch(() => null); if (r) break; "
    "if (++n === 3) break; } return n;",
    "const it = args[Symbol.iterator](); for (;;) { const { value, done } = it.next(); "
    "if (done) return 'end'; await agent(value).catch(() => null); }",
    "let done = false; while (true) { log(await agent('x').catch(() => '')); if (done) break; done = true; }"
    "return 1;",
]


@pytest.mark.parametrize("source", [*AWAITS, *NOT_TOLD])
def test_what_is_right_is_not_told(source: str) -> None:
    assert told(source) == []


@pytest.mark.parametrize("source", AWAITS)
def test_an_await_holds_its_whole_operand(source: str) -> None:
    read = subject(source)
    awaits = list(read.tree.of("await_expression"))
    assert len(awaits) == source.count("await ")
    assert all(read.tree.text(each).startswith("await ") for each in awaits)
    assert all(child.parent is node for node in read.tree.nodes for child in node.children)
    assert read.tree.nodes == list(read.tree.root.inside())
    assert not any(_is_name(each) and read.tree.text(each) == "await" for each in read.tree.nodes)


def _is_name(node: Syntax) -> bool:
    return node.type == "identifier"


@pytest.mark.parametrize("source", NOT_SURE)
def test_what_may_be_caught_or_left_out_is_no_error(source: str) -> None:
    severities = {line.split()[1] for line in told(source)}
    assert severities == {"warning"}


@pytest.mark.parametrize("source", SURE)
def test_what_every_run_is_ended_by_is_an_error(source: str) -> None:
    assert "error" in {line.split()[1] for line in told(source)}


def test_many_awaits_in_one_array_are_read() -> None:
    source = f"return [{'await (1), ' * 15_000}];"
    assert len(list(subject(source).tree.of("await_expression"))) == 15_000


def test_a_loop_whose_only_way_out_is_an_answer_is_told() -> None:
    source = (
        "let r; while (true) { try { r = await agent('x'); } catch { continue; } const ok = r === 'ok'; "
        "if (ok) break; } return r;"
    )
    assert told(source) == ["1:8 warning endless_loop"]


def test_many_nested_loops_are_read_in_bounded_time() -> None:
    loop = "for (;;) { try { await agent('x'); } catch {} "
    nested = loop * 100 + "1;" * 20_000 + "}" * 100
    assert told(nested) is not None


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("const s = [];\nreturn Math.max(...s);", "2:8 warning lost_value"),
        ("const s = [];\nreturn s.reduce((a, b) => a + b, 0) / s.length;", "2:8 warning lost_value"),
        ("return agent('x').text;", "1:8 warning promise_used"),
        ("return await parallel([() => agent('x')]).filter(Boolean);", "1:14 warning promise_used"),
        ("const [a] = parallel([() => agent('x')]);\nreturn a;", "1:13 warning promise_used"),
        ("const { a } = agent('x');\nreturn a;", "1:15 warning promise_used"),
        ("const p = agent('x'); const [a] = p;\nreturn a;", "1:35 warning promise_used"),
        ("if (agent('x')) return 1;\nreturn 2;", "1:5 warning promise_used"),
        ("return !agent('x');", "1:9 warning promise_used"),
        ("log(agent('x'));\nreturn 1;", "1:5 warning promise_in_value"),
        ("return { a: agent('x') };", "1:13 warning promise_in_value"),
        ("return args.xs.map((x) => agent(x));", "1:8 warning promise_in_value"),
        ("const ps = args.xs.map((x) => agent(x));\nreturn ps;", "2:8 warning promise_in_value"),
        ("const ps = await args.xs.map((x) => agent(x));\nreturn ps;", "1:18 warning promise_used"),
        ("const ps = args.xs.map((x) => agent(x));\nreturn `${ps}`;", "2:11 warning promise_in_prompt"),
        ("const p = { prompt: 'x' };\nreturn await agent(p);", "2:20 error wrong_argument"),
        ("return await agent('x', { isolation: 'vm' });", "1:38 warning wrong_argument"),
        (
            "return await agent('x', { schema: { type: 'object', fields: {} } });",
            "1:53 warning schema_no_effect",
        ),
    ],
)
def test_promises_and_arguments_are_told_by_a_name_and_without_one(source: str, line: str) -> None:
    assert told(source) == [line]


@pytest.mark.parametrize(
    "source",
    [
        "const p = agent('x'); p.label = 'first'; return await p;",
        "const ps = args.xs.map((x) => agent(x)); const out = []; for (const p of ps) out.push(await p);"
        "return out;",
        "const ps = args.xs.map((x) => agent(x)); log(ps.length); return await Promise.all(ps);",
        "const f = () => args.xs.map((x) => agent(x)); return await Promise.all(f());",
        "return (await agent('x')).length;",
        "return agent('x').then((r) => r.length);",
        "const p = 'x'; return await agent(p);",
        "const s = []; for (const x of args.xs) s.push(x); return Math.max(...s) / s.length;",
        "const s = []; s.length = 3; return 1 / s.length;",
        "const s = []; args.fill(s); return Math.min(...s);",
        "const s = []; s[0] = 1; return Math.min(...s);",
        "const s = [1]; return Math.min(...s) / s.length;",
        "let s = []; s = args.xs; return Math.min(...s);",
        "const [a] = await parallel([() => agent('x')]); return a;",
    ],
)
def test_promises_that_are_awaited_later_are_not_told(source: str) -> None:
    assert told(source) == []
