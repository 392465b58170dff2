"""The outline of a workflow, as a table: source on one side, calls and what they stand in on the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.child.engine.errors import Interrupted
from flowcage.child.sandbox.outline.outline import MAX_BYTES, MAX_CALLS, MAX_PHASES, MAX_WITHIN, outline_of
from flowcage.child.sandbox.outline.walk import MAX_DEPTH
from flowcage.child.sandbox.syntax_tree import tree
from flowcage.host.graph.outline import read
from flowcage.host.graph.tree import tree_of

from ..graph.outlines import Unbounded, told_of


class _Over(Unbounded):
    def check_time(self) -> None:
        raise Interrupted("timeout", "over")


def outline(text: str, meta: Any = None) -> dict[str, Any]:
    return told_of(text, meta)


def within(text: str) -> list[str]:
    """What the only call stands in, each as one line."""
    found = outline(text)
    (call,) = (call for call in found["calls"] if call["kind"] != "function")
    return [_line(found["blocks"][number]) for number in call["within"]]


def _line(block: dict[str, Any]) -> str:
    words = [block["kind"]]
    words += [str(block[name]) for name in ("name", "stage", "arm", "text") if name in block]
    words += [f"x{block['count']}"] if "count" in block else []
    return " ".join(words + [name for name in ("depends", "leaves") if name in block])


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("await agent('hi')", {"kind": "agent", "prompt": "hi", "line": 1, "column": 7}),
        ("\n  ctx.agent('hi')", {"kind": "agent", "prompt": "hi", "line": 2, "column": 3}),
        ("agent(`a ${x} b`, {label: `verify:${x}`})", {"prompt": "a ${…} b", "label": "verify:${…}"}),
        ("agent(x.prompt, {label: 'a:' + x.key})", {"prompt": "${x.prompt}", "label": "a:${…}"}),
        ("agent('p', {label: n + 1})", {"label": "${…}"}),
        ("agent('p', {label: `${n + 1}`})", {"label": "${…}"}),
        ("agent('p', {label: null, model: undefined})", {"kind": "agent", "prompt": "p"}),
        ("const M = 'opus'\nagent('p', {model: M})", {"model": "opus"}),
        ("const M = {fast: 'haiku'}\nagent('p', {model: M.fast})", {"model": "haiku"}),
        ("const o = {phase: 'A', label: 'x'}\nagent('p', {...o, label: 'y'})", {"phase": "A", "label": "y"}),
        ("let M = 'opus'\nagent('p', {model: M})", {"model": "${…}"}),
        ("phase('Draft')\nagent('p')", {"phase": "Draft"}),
        ("phase('Draft')\nagent('p', {phase: 'Other'})", {"phase": "Other"}),
        ("phase('Draft')\nagent('p', {phase: null})", {"kind": "agent", "prompt": "p"}),
        ("agent('p', {agentType: 'Explore', effort: 'high', schema: S})",
         {"agentType": "Explore", "effort": "high", "schema": True}),
        ("agent('p', options)", {"options": "options"}),
        ("agent('p', {label: 'a', ...rest})", {"label": "a", "options": "{label: 'a', ...rest}"}),
        ("const rest = {model: 'm'}\nagent('p', {...rest})", {"model": "m"}),
        ("agent('p', null)", {"kind": "agent", "prompt": "p"}),
        ("workflow('review', {a: 1})", {"kind": "workflow", "ref": "review"}),
        ("workflow({scriptPath: './r.js'})", {"kind": "workflow", "scriptPath": "./r.js"}),
        ("import { ask as person } from 'workflow:extra'\nperson('ship?', {label: 'gate'})",
         {"kind": "ask", "question": "ship?", "label": "gate"}),
        ("SW.extra.ask('ship?')", {"kind": "ask", "question": "ship?"}),
        ("import extra from 'workflow:extra'\nextra.sleep(1_000)", {"kind": "sleep", "ms": "1_000"}),
        ("SW.sandbox.exec('shell', {command: 'make'})",
         {"kind": "exec", "profile": "shell", "command": "make"}),
        ("export default async (args, { agent, ask }) => ask('why?')", {"kind": "ask", "question": "why?"}),
        ("agent('two\\n  lines')", {"prompt": "two lines"}),
    ],
)  # fmt: skip
def test_what_a_call_says(text: str, members: dict[str, Any]) -> None:
    (call,) = outline(text)["calls"]
    del call["within"]
    assert call.items() >= members.items()
    if "line" not in members:
        assert call.keys() - members.keys() <= {"kind", "line", "column", "prompt", "label"}


@pytest.mark.parametrize(
    "text",
    [
        "// agent('p')",
        "const s = `agent('p')`",
        "function agent(p) { return p }\nagent('p')",
        "other.agent('p')",
        "this.agent('p')",
        "agent",
        "function unused() { return other() }\nunused()",
    ],
)
def test_what_is_no_call(text: str) -> None:
    assert outline(text)["calls"] == []


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("agent('p')", []),
        ("parallel([() => agent('p')])", ["parallel x1"]),
        ("Promise.all([agent('p')])", ["parallel Promise.all x1"]),
        ("parallel(['a','b'].map((x) => () => agent(x)))", ["parallel", "each ['a','b'] x2"]),
        ("const D = [1, 2, 3]\nparallel(D.map((x) => () => agent('p')))", ["parallel", "each D x3"]),
        ("const D = []\nD.push(1)\nparallel(D.map((x) => () => agent('p')))", ["parallel", "each D"]),
        ("parallel(args.files.map((x) => () => agent('p')))", ["parallel", "each args.files"]),
        ("Array.from({length: 4}, () => agent('p'))", ["each {length: 4} x4"]),
        ("for (const k of Object.keys({a: 1, b: 2})) await agent(k)",
         ["loop k of Object.keys({a: 1, b: 2}) x2"]),
        ("const m = {size: 1}\nfor (const x of list) agent('p')", ["loop x of list"]),
        ("for (let i = 1; i <= 3; i++) { agent('p') }", ["loop i <= 3 x3"]),
        ("for (let i = 0; i < 3; i++) { agent('p'); if (x) break }", ["loop i < 3 x3 leaves"]),
        ("for (let i = 0; i < 3; i++) { agent('p'); switch (x) { case 1: break } }", ["loop i < 3 x3"]),
        ("for (let i = 0; i < args.n; i++) agent('p')", ["loop i < args.n depends"]),
        ("while (dry < 2) await agent('p')", ["loop dry < 2 depends"]),
        ("do { await agent('p') } while (true)", ["loop true depends"]),
        ("if (args.x) agent('p')", ["branch then args.x"]),
        ("if (a) {} else agent('p')", ["branch else a"]),
        ("a ? agent('p') : null", ["branch then a"]),
        ("a && agent('p')", ["branch then a"]),
        ("a ?? agent('p')", ["branch else a"]),
        ("switch (a.b) { case 'x': agent('p') }", ["branch 'x' a.b"]),
        ("try { f() } catch { agent('p') }", ["branch catch"]),
        ("try { agent('p') } finally { f() }", []),
        ("pipeline([1, 2], (x) => x, (x) => agent('p'))", ["pipeline [1, 2] x2", "stage 2"]),
        ("pipeline(items, /* first */ (x) => agent('p'))", ["pipeline items", "stage 1"]),
        ("export default async () => { await agent('p') }", []),
        ("(async () => agent('p'))()", []),
        ("async function review(x) { return agent('p') }\nreview(1)", ["function review"]),
        ("const review = (x) => agent('p')\nparallel(l.map((x) => () => review(x)))", ["function review"]),
        ("while (a) { const review = () => agent('p'); review() }", ["function review"]),
        ("const o = { async run() { return agent('p') } }", ["function run"]),
    ],
)  # fmt: skip
def test_what_a_call_stands_in(text: str, blocks: list[str]) -> None:
    assert within(text) == blocks


@pytest.mark.parametrize(
    ("text", "depends"),
    [
        ("const r = await agent('q')\nif (r) agent('p')", True),
        ("const r = await ctx.agent('q')\nif (r) agent('p')", True),
        ("const r = args.r\nif (r) agent('p')", False),
        ("const { a: [b] } = await agent('q')\nif (b.c) agent('p')", True),
        ("let r\nr = (await workflow('w')).x\nif (r) agent('p')", True),
        ("const s = new Map()\ns.set(1, await agent('q'))\nfor (const x of s.keys()) agent('p')", True),
        ("const s = new Map()\nfor (const x of s.keys()) agent('p')", False),
        ("agent('q').then((r) => r.map((x) => agent('p')))", True),
        ("const ask = (x) => agent(x)\nconst r = await ask(1)\nif (r) agent('p')", True),
        ("const rs = await parallel(l.map((x) => () => agent('q')))\nrs.flat().map((r) => agent('p'))", True),
        ("pipeline(files, (f) => agent('q'), (r) => r.ok && agent('p'))", True),
        ("pipeline(files, (f) => f.ok && agent('p'))", False),
        ("for (const x of (await agent('q')).list) agent('p')", True),
    ],
)  # fmt: skip
def test_what_depends_on_answers(text: str, depends: bool) -> None:
    found = outline(text)
    call = found["calls"][-1]
    assert any(found["blocks"][number].get("depends", False) for number in call["within"]) is depends


def test_functions_are_calls_where_they_ask_for_something_themselves_or_through_others() -> None:
    found = outline(
        "const inner = () => agent('p')\nfunction outer() { return inner() }\n"
        "function idle() {}\nidle()\nawait pipeline(files, outer)"
    )
    called = [(call["kind"], call.get("name"), call["line"]) for call in found["calls"]]
    assert called == [("agent", None, 1), ("function", "inner", 2), ("function", "outer", 5)]
    (stage,) = (block for block in found["blocks"] if block["kind"] == "stage")
    assert stage["stage"] == 1


def test_phases_are_those_of_meta_and_those_that_are_entered() -> None:
    meta = {"phases": [{"title": "A"}, "B", {"title": 3}, 7]}
    assert outline("phase('B')\nphase(`R${n}`)\nphase('B')", meta)["phases"] == [
        {"title": "A", "declared": True},
        {"title": "B", "declared": True, "line": 1, "column": 1},
        {"title": "R${…}", "line": 2, "column": 1},
    ]


@pytest.mark.parametrize("meta", [None, 3, [], {}, {"phases": 1}, {"phases": {}}])
def test_a_meta_of_any_form_declares_what_it_can(meta: Any) -> None:
    assert outline("1", meta) == {"calls": [], "blocks": [], "phases": []}


def test_a_source_that_is_too_long_has_its_declared_phases_alone() -> None:
    found = outline("agent('p')\n" + " " * MAX_BYTES, {"phases": ["A"]})
    assert found == {
        "calls": [],
        "blocks": [],
        "phases": [{"title": "A", "declared": True}],
        "truncated": True,
    }


def test_a_source_with_more_than_is_told_says_so() -> None:
    found = outline("agent('p')\n" * (MAX_CALLS + 1) + "phase(a + 'x')\n")
    assert len(found["calls"]) == MAX_CALLS
    assert found["truncated"] is True
    many = "".join(f"phase('{number}')\n" for number in range(MAX_PHASES + 1))
    assert len(outline(many)["phases"]) == MAX_PHASES


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000 + "agent('p')" + ")" * 20_000,
        "if (a) " * 20_000 + "agent('p')",
        "agent(" * 3_000 + "1" + ")" * 3_000,
        "const [" + "[" * 5_000 + "a" + "]" * 5_000 + "] = b",
    ],
)
def test_what_is_nested_too_deep_is_left_out(text: str) -> None:
    found = outline(text)
    assert found["truncated"] is True
    assert all(len(call["within"]) <= MAX_WITHIN for call in found["calls"])
    assert len(found["calls"]) <= MAX_DEPTH


@pytest.mark.parametrize(
    "text",
    [
        "const a0 = 'x'\n"
        + "".join(f"const a{n} = a{n - 1} + a{n - 1} + ''\n" for n in range(1, 60))
        + "agent(a59)",
        "const a0 = {x: 1}\n"
        + "".join(f"const a{n} = {{{f'...a{n - 1},' * 200}}}\n" for n in range(1, 5))
        + "agent('p', a4)\n" * 100,
        "const a = a\nconst b = c\nconst c = b\nagent(a + '', {label: b, ...c})",
        "".join(f"a{n} = a{n + 1}\n" for n in range(5_000)) + "a5000 = agent('p')",
    ],
    ids=["sums", "spreads", "circles", "chain"],
)  # fmt: skip
def test_names_that_name_each_other_end(text: str) -> None:
    assert outline(text)["calls"]


def test_a_damaged_source_has_an_outline_of_what_is_whole() -> None:
    (call,) = outline("await agent('p')\nconst = ) {{{ \x00 \ud7ff")["calls"]
    assert call["prompt"] == "p"


_PIECES = st.sampled_from(
    (
        *"{}()[];,.?:'`",
        *(
            "agent(",
            "'p'",
            "`${",
            "parallel([",
            "pipeline(f,",
            "() =>",
            "for (",
            "of x)",
            "while (a)",
            "if (b)",
        ),
        *(
            "else ",
            "...",
            "const a = ",
            "a",
            "function f() {",
            "f()",
            "phase('A');",
            ".map(",
            "&& ",
            "await ",
        ),
        *("switch (a) { case 1:", "break;", "return ", "export default ", "\\x41", "{label: ", "\0", "\n"),
    )
)


@given(st.lists(_PIECES, max_size=60))
def test_any_text_has_an_outline_that_the_host_reads_and_draws(pieces: list[str]) -> None:
    tree_of(read(outline("".join(pieces))))


def test_a_walk_ends_with_the_time_of_its_step() -> None:
    source = b"f();\n" * 5_000
    with pytest.raises(Interrupted):
        outline_of(source, tree(source, Unbounded()), _Over())
