"""What the linter finds beside names: a table of sources for each rule, found and not found."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.child.sandbox.lint.linter import MAX_FINDINGS
from flowcage.child.sandbox.lint.rules import RULES

from .lint_reading import found, told

FOUND: dict[str, list[tuple[str, str]]] = {
    "unawaited_call": [
        ("agent('a');\nreturn 1;", "1:1"),
        ("parallel([() => agent('a')]);\nreturn 1;", "1:1"),
        ("SW.extra.sleep(5);\nreturn 1;", "1:1"),
        ("import { sleep } from 'workflow:extra';\nsleep(5);\nreturn 1;", "2:1"),
        ("agent('a').catch(() => null);\nreturn 1;", "1:1"),
        ("async function main() { return await agent('a'); }\nmain();\nreturn 1;", "2:1"),
        ("const main = async () => agent('a');\nmain();\nreturn 1;", "2:1"),
        ("args.xs.forEach(async (x) => { log(await agent(x)); });\nreturn 1;", "1:1"),
        ("args.xs.forEach((x) => agent(x));\nreturn 1;", "1:1"),
        ("args.xs.map(async (x) => { log(await agent(x)); });\nreturn 1;", "1:1"),
        ("await args.xs.map(async (x) => { log(await agent(x)); });\nreturn 1;", "1:7"),
        ("const a = agent('a');\nreturn 1;", "1:11"),
    ],
    "promise_used": [
        ("const a = agent('a');\nreturn a.length;", "2:8"),
        ("const a = agent('a');\nif (!a) log(1);\nreturn await a;", "2:6"),
        ("const a = agent('a');\nif (a) log(1);\nreturn await a;", "2:5"),
        ("const all = parallel([() => agent('a')]);\nfor (const x of all) log(x);\nreturn 1;", "2:17"),
    ],
    "promise_in_value": [
        ("const a = agent('a');\nreturn { a: a };", "2:13"),
        ("const a = agent('a');\nreturn [a];", "2:9"),
        ("const a = agent('a');\nlog(a);\nreturn await a;", "2:5"),
        ("const a = agent('a');\nreturn { a };", "2:10"),
    ],
    "promise_in_prompt": [
        ("return await agent(`sum ${agent('a')}`);", "1:27"),
        ("const a = agent('a');\nreturn await agent(`sum ${a}`);", "2:27"),
        ("const a = agent('a');\nreturn await agent('sum ' + a);", "2:29"),
        ("const a = agent('a');\nreturn await agent(JSON.stringify(a));", "2:35"),
        ("return await agent(`${args.xs.map(async (x) => await agent(x))}`);", "1:23"),
    ],
    "object_in_prompt": [
        ("const f = { line: 3 };\nreturn await agent(`see ${f}`);", "2:27"),
        ("const f = { line: 3 };\nreturn await agent('see ' + f + '.');", "2:29"),
        ("return await agent(`see ${new Set()}`);", "1:27"),
        ("return await agent(`see ${undefined}`);", "1:27"),
        (
            "const r = await agent('a', { schema: { type: 'object' } });\nreturn await agent(`see ${r}`);",
            "2:27",
        ),
        ("const S = { type: 'object' };\nconst r = await agent('a', { schema: S });\nreturn `${r}`;", "3:11"),
        ("const r = await agent('a', { handle: true });\nreturn await agent(`see ${r}`);", "2:27"),
    ],
    "lost_value": [
        ("return new Set([1]);", "1:8"),
        ("const seen = new Set();\nreturn { seen };", "2:10"),
        ("const seen = new Map();\nlog('seen', seen);\nreturn 1;", "2:13"),
        ("return { when: /x/g };", "1:16"),
        ("await agent('a', { context: { e: new Error('x') } });\nreturn 1;", "1:34"),
    ],
    "wrong_argument": [
        ("return await parallel(agent('a'), agent('b'));", "1:23"),
        ("return await parallel([agent('a')]);", "1:24"),
        ("return await parallel(args.xs.map((x) => agent(x)));", "1:42"),
        ("return await parallel(args.xs.map(async (x) => { await agent(x); }));", "1:35"),
        ("return await pipeline(args.xs, agent('a'));", "1:32"),
        ("return await pipeline((x) => agent(x), args.xs);", "1:23"),
        ("return await agent();", "1:14"),
        ("return await agent({ prompt: 'a' });", "1:20"),
        ("phase({ title: 'a' });\nreturn 1;", "1:7"),
        ("return await agent('a', { isolation: 'container' });", "1:38"),
        ("return await agent('a', { retry: { maxAttempts: 50 } });", "1:49"),
        ("return await agent('a', { retry: { attempts: 2 } });", "1:36"),
        ("return await agent('a', { timeoutMs: 0 });", "1:38"),
    ],
    "unknown_option": [("return await agent('a', { lable: 'x' });", "1:27")],
    "functions_not_called": [
        ("return await Promise.all([() => agent('a')]);", "1:27"),
        ("return await Promise.all(args.xs.map((x) => () => agent(x)));", "1:45"),
    ],
    "no_result": [
        ("export const meta = { name: 'x', nodes: [{ prompt: 'a' }] };", "1:1"),
        ("async function main() { return 1; }\nawait 0;\nmain();", "3:1"),
    ],
    "unknown_phase": [
        (
            "export const meta = { name: 'x', phases: [{ title: 'One' }] "
            "};\nphase('One');\nphase('Oen');\nreturn 1;",
            "3:7",
        ),
        (
            "export const meta = { name: 'x', phases: ['One'] "
            "};\nphase('One');\nreturn await agent('a', { phase: 'Two' });",
            "3:34",
        ),
    ],
    "invalid_schema": [
        ("return await agent('a', { schema: { type: 'int' } });", "1:43"),
        (
            "const S = { type: 'object', properties: { n: { type: 'str' } } "
            "};\nreturn await agent('a', { schema: S });",
            "1:54",
        ),
        ("return await agent('a', { schema: { properties: { n: 'string' } } });", "1:54"),
        (
            "return await agent('a', { schema: { properties: { n: { type: 'string', required: true } } } });",
            "1:82",
        ),
        ("return await agent('a', { schema: { type: 'array', items: 'string' } });", "1:59"),
        ("return await agent('a', { schema: 'object' });", "1:35"),
    ],
    "schema_contradiction": [
        (
            "return await agent('a', { schema: { type: 'object', properties: {}, "
            "required: ['a'], additionalProperties: false } });",
            "1:80",
        ),
        ("return await agent('a', { schema: { type: 'string', minLength: 5, maxLength: 2 } });", "1:64"),
        ("return await agent('a', { schema: { type: 'number', enum: ['a', 'b'] } });", "1:59"),
        ("return await agent('a', { schema: { enum: [] } });", "1:43"),
    ],
    "schema_checks_nothing": [
        ("return await agent('a', { schema: { title: 'string', count: 'number' } });", "1:35"),
    ],
    "schema_no_effect": [
        ("return await agent('a', { schema: { type: 'object', propertes: {} } });", "1:53"),
        ("return await agent('a', { schema: { type: 'string', nullable: true } });", "1:53"),
        ("return await agent('a', { schema: { type: 'array', properties: {} } });", "1:52"),
        (
            "return await agent('a', { schema: { type: 'object', properties: { "
            "name: {} }, required: ['nane'] } });",
            "1:90",
        ),
    ],
    "endless_loop": [
        ("for (;;) { const r = await agent('a').catch(() => null); if (r) break; }\nreturn 1;", "1:1"),
        ("while (true) { try { await agent('a'); break; } catch {} }\nreturn 1;", "1:1"),
    ],
    "unreachable_code": [
        ("return 1;\nlog(2);", "2:1"),
        ("if (args.x) { throw new Error('x'); log(1); }\nreturn 1;", "1:37"),
        ("for (const x of args.xs) { continue; log(x); }\nreturn 1;", "1:38"),
    ],
}
NOT_FOUND = [
    "void agent('a'); return 1;",
    "await agent('a'); return 1;",
    "return agent('a');",
    "agent('a').then((text) => log(text)); return 1;",
    "const a = agent('a'); const b = agent('b'); return [await a, await b];",
    "const a = agent('a'), b = agent('b'); const [x, y] = await Promise.all([a, b]); return x + y;",
    "const jobs = []; jobs.push(agent('a')); return await Promise.all(jobs);",
    "let a = agent('a'); a = await a; return `${a} ${a.length}`;",
    "const run = () => agent('a'); return await run();",
    "async function main() { return agent('a'); } await main(); return 1;",
    "function agent2() { return 1; } agent2(); return 1;",
    "const agent = (x) => x; agent('a'); return `${agent('b')}`;",
    "args.xs.forEach((x) => { log(x); }); return 1;",
    "const all = await Promise.all(args.xs.map(async (x) => await agent(x))); return all;",
    "const jobs = args.xs.map(async (x) => { await agent(x); }); await Promise.all(jobs); return 1;",
    "return await parallel(args.xs.map((x) => () => agent(x)));",
    "return await parallel(args.xs.map((x) => async () => agent(x)));",
    "const task = (x) => () => agent(x); return await parallel([task(1), task(2)]);",
    "const task = (x) => () => agent(x); return await parallel(args.xs.map((x) => task(x)));",
    "const tasks = args.xs.map((x) => () => agent(x)); return await parallel(tasks);",
    "return await pipeline(args.xs, (x) => agent(x), async (text, x, i) => [text, x, i]);",
    "return (await parallel([() => agent('a')])).filter(Boolean);",
    "const f = { line: 3 }; return await agent(`see ${JSON.stringify(f)} ${f.line}`);",
    "const f = { toString() { return 'f'; } }; return `${f}`;",
    "const f = { ...args.f }; return `${f}`;",
    "let f = { line: 3 }; f = 'text'; return `${f}`;",
    "const xs = ['a', 'b']; return `${xs}`;",
    "const n = 1; return `${n}` + n;",
    "const r = await agent('a', { schema: { type: 'string' } }); return `${r}`;",
    "const r = await agent('a', { schema: args.schema }); return `${r}`;",
    "const r = await agent('a'); return `${r}`;",
    "const seen = new Set(); return [...seen];",
    "const seen = new Map(); return { size: seen.size, has: seen.has(1), all: Object.fromEntries(seen) };",
    "function f() { return new Set(); } return f().size;",
    "const error = new Error('x'); throw error;",
    "phase('Any'); return 1;",
    "export const meta = { name: 'x', phases: [{ title: 'A' }] }; for (const p of ['A']) phase(p); return 1;",
    "export const meta = { name: 'x', phases: [{ title: 'A' }] }; phase(`${args.p}`); return 1;",
    "return await agent('a', { schema: { type: 'object', properties: { a: "
    "{ type: ['string', 'null'] } }, required: ['a'] } });",
    "return await agent('a', { schema: { type: 'integer', minimum: 1, maximum: 1 } });",
    "return await agent('a', { schema: { $ref: '#/$defs/x', $defs: { x: { enum: ['a', null] } } } });",
    "return await agent('a', { schema: { type: 'object', properties: { "
    "required: { type: 'boolean' }, type: { enum: [1] } } } });",
    "const base = { a: { type: 'string' } }; return await agent('a', { "
    "schema: { type: 'object', properties: { ...base }, required: ['b'], additionalProperties: false } });",
    "const S = { type: 'object', properties: {}, required: [] }; "
    "S.properties.x = { type: 'string' }; S.required.push('x'); return await agent('a', { schema: S });",
    "return await agent('a', { schema: true });",
    "return await agent('a', { schema: {} });",
    "return await agent('a', { schema: null, phase: undefined, 'x-own': 1, custom: { a: 1 } });",
    "return await agent(args.prompt, args.options);",
    "return await agent('a', { retry: { maxAttempts: 3, backoffMs: 0 }, "
    "timeoutMs: 60_000, isolation: 'worktree' });",
    "for (let i = 0; i < 3; i++) { const r = await agent('a').catch(() => null); if (r) break; } return 1;",
    "for (;;) { const r = await agent('a').catch(() => null); if (r || "
    "budget.remaining() === 0) break; } return 1;",
    "let n = 0; while (true) { await agent('a').catch(() => null); if (++n > 3) break; } return n;",
    "for (;;) { const r = await agent('a'); if (r) return r; }",
    "if (args.x) return 1; return f(); function f() { return 2; }",
    "switch (args.x) { case 1: return 1; default: break; } return 2;",
    "return `\n\\`\\`\\`js\n\\`\\`\\`\n`;",
    "const s = String.raw`${{ a: 1 }}`; return s;",
]
MODULES = [
    "export default async (args, { agent, log }) => { log(1); return await agent('a'); };",
    "export default async function (input, ctx) { return await ctx.agent('a'); }",
    "export default agent('a');",
    "export default { a: 1 };",
    "import { sleep, ask } from 'workflow:extra';\nexport default async () "
    "=> { await sleep(1); return await ask('?'); };",
]


@pytest.mark.parametrize(
    ("kind", "source", "place"), [(k, s, p) for k, rows in FOUND.items() for s, p in rows]
)
def test_a_mistake_is_told_with_its_place(kind: str, source: str, place: str) -> None:
    assert [f"{each.line}:{each.column}" for each in found(source) if each.kind == kind] == [place]


@pytest.mark.parametrize("source", NOT_FOUND)
def test_what_is_right_is_not_told(source: str) -> None:
    assert told(source) == []


@pytest.mark.parametrize("source", MODULES)
def test_a_module_that_is_right_has_no_findings(source: str) -> None:
    assert told(source, "module") == []


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            "export default async (args, { agent }) => { agent('a'); return 1; };",
            "1:45 warning unawaited_call",
        ),
        ("export default async (args, ctx) => { ctx.agent('a'); return 1; };", "1:39 warning unawaited_call"),
        ("export default async () => Date.now();", "1:28 error absent_global"),
    ],
)
def test_a_module_is_read_by_its_context(source: str, line: str) -> None:
    assert told(source, "module") == [line]


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("export const meta = { name: 'x', phases: [{ title: 'A' }] };\nreturn 1;", ["unused_phase"]),
        ("const a = 1;\nexport const meta = { name: 'x' };\nreturn a;", ["meta_not_first"]),
        ("import { sleep } from 'workflow:extra';\nexport const meta = { name: 'x' };\nreturn sleep;", []),
        ("export const meta = { phases: [] };\nreturn 1;", ["meta_without_name"]),
        ("await agent('a');", ["no_result"]),
        (
            "return await agent('a', { schema: { properties: { a: {} }, required: ['zzzz'] } });",
            ["schema_no_effect"],
        ),
    ],
)
def test_notes(source: str, kinds: list[str]) -> None:
    meta: dict[str, Any] = {"phases": []} if "meta = { phases" in source else {"name": "x"}
    assert [(each.severity, each.kind) for each in found(source, meta=meta)] == [
        ("note", kind) for kind in kinds
    ]


def test_every_rule_has_a_source_that_it_finds_something_in() -> None:
    elsewhere = {"absent_global", "unknown_global", "bad_assignment", "member_of_nothing", "refused_import"}
    notes = {"unused_phase", "meta_not_first", "meta_without_name", "not_read"}
    assert RULES.keys() == FOUND.keys() | elsewhere | notes


@pytest.mark.parametrize("source", ["log(x);\n" * 5_000, "agent('a');" * 5_000, "if (a) b();" * 5_000])
def test_findings_are_bounded(source: str) -> None:
    assert len(found(source)) == MAX_FINDINGS


@pytest.mark.parametrize(
    "source",
    [
        "(" * 2_000 + "1" + ")" * 2_000 + ";",
        "{" * 2_000 + "}" * 2_000,
        "1;" * 100_000,
        "`${" * 1_000 + "1" + "}`" * 1_000,
    ],
)
def test_a_source_that_is_too_large_or_too_deep_is_told_as_not_read(source: str) -> None:
    assert [each.kind for each in found(source)] == ["not_read"]


def test_texts_of_the_source_are_cut_and_stay_on_one_line() -> None:
    name = "x" * 5_000
    (finding,) = found(f"return {name};")
    assert len(finding.message) < 100
    (finding,) = found("agent(`a\nb`);\nreturn 1;")
    assert "\n" not in (finding.hint or "")
    assert (finding.end_line, finding.end_column) == (2, 4)


def test_columns_are_in_characters() -> None:
    assert told("log('äöü😀'); agent('x'); return 1;") == ["1:14 warning unawaited_call"]
