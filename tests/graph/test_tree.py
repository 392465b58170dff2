"""Outlines as trees, as a table: each group in brackets behind its title."""

from __future__ import annotations

import pytest

from flowcage.host.graph.outline import read
from flowcage.host.graph.tree import MAX_STEPS, Group, Node, Step, tree_of

from .outlines import outline


def told(node: Node) -> str:
    if isinstance(node, Step):
        return f"{node.title} ({node.detail})" if node.detail else node.title
    inner = "; ".join(map(told, node.children))
    if node.kind == "whole":
        return inner
    name = "phase " if node.kind == "phase" else "branch" if node.kind == "branch" else ""
    return f"{name}{node.title}{'?' if node.depends else ''} [{inner}]"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1", ""),
        ("agent('p', {label: 'a'})\nagent('q')", "a; q"),
        ("agent(`about ${x}`)", "about …"),
        ("agent('p', {label: `${x}`})", "p"),
        ("agent(x, {model: 'opus', agentType: 'Explore', effort: e})", "${x} (Explore · opus)"),
        ("agent()", "agent"),
        ("workflow('w')\nSW.extra.ask('ok?')\nSW.extra.sleep(5)\nSW.sandbox.exec('p', {command: 'ls'})",
         "workflow: w; ask: ok?; sleep: 5 ms; exec: ls (p)"),
        ("phase('A')\nagent('1')\nagent('2')\nphase('B')\nagent('3')", "phase A [1; 2]; phase B [3]"),
        ("phase(`R ${n}`)\nagent('1')", "phase R … [1]"),
        ("agent('1')\nphase('A')\nagent('2')", "1; phase A [2]"),
        ("phase('A')\nagent('1')\nworkflow('w')\nphase('B')\nSW.extra.ask('ok?')\nagent('2')",
         "phase A [1; workflow: w]; phase B [ask: ok?; 2]"),
        ("SW.extra.sleep(5)\nphase('A')\nif (x) agent('1')\nelse workflow('w')",
         "sleep: 5 ms; phase A [branch [if x [1]; if not x [workflow: w]]]"),
        ("phase('A')\nparallel(F.map((f) => () => agent('1')))", "phase A [at once for each of F [1]]"),
        ("const F = [1, 2]\nparallel(F.map((f) => () => agent('1')))", "at once for each of F (×2) [1]"),
        ("parallel([() => agent('1'), () => agent('2')])", "at once [1; 2]"),
        ("pipeline(F, (f) => agent('1', {phase: 'A'}), (f) => agent('2', {phase: 'B'}))",
         "pipeline of F [phase A [stage 1 [1]]; phase B [stage 2 [2]]]"),
        ("for (let i = 0; i < 2; i++) { agent('1', {phase: 'A'}); agent('2', {phase: 'B'}) }",
         "loop: i < 2 (×2) [phase A [1]; phase B [2]]"),
        ("while (go) agent('1')", "loop: go? [1]"),
        ("if (a) agent('1')\nelse agent('2')", "branch [if a [1]; if not a [2]]"),
        ("if (a) agent('1')\nif (b) agent('2')", "branch [if a [1]]; branch [if b [2]]"),
        ("switch (a) { case 1: agent('1'); break; default: agent('2') }",
         "branch [a is 1 [1]; a is default [2]]"),
        ("try { f() } catch { agent('1') }", "branch [if it throws [1]]"),
        ("const f = () => agent('1')\nphase('A')\nf()\nphase('B')\nf()", "phase A [1]; phase B [1]"),
        ("async function f() { await agent('1'); await agent('2') }\nf()", "f() [1; 2]"),
        ("const f = (x) => g(x)\nconst g = (x) => agent('1')\nparallel(F.map((x) => () => f(x)))",
         "at once for each of F [1]"),
        ("function f() { agent('1'); f() }\nf()", "f() [1; f() again]"),
        ("function f() { agent('1'); g() }\nfunction g() { agent('2'); f() }\nf()",
         "f() [1; g() [2; f() again]]"),
        ("const o = { run() { agent('1') } }\no.run()", "run() [1]"),
    ],
)  # fmt: skip
def test_an_outline_as_a_tree(text: str, tree: str) -> None:
    assert told(tree_of(outline(text))) == tree


def test_a_tree_has_an_end_where_functions_multiply() -> None:
    source = "function f0() { agent('1') }\n" + "".join(
        f"function f{n}() {{ {f'f{n - 1}(); ' * 8} }}\n" for n in range(1, 12)
    )
    tree = tree_of(outline(f"{source}f11()"))

    def steps(node: Node) -> list[Step]:
        return (
            [node] if isinstance(node, Step) else [step for child in node.children for step in steps(child)]
        )

    found = steps(tree)
    assert len(found) <= MAX_STEPS
    assert found[-1].kind == "more"


def test_blocks_within_blocks_without_end_are_cut() -> None:
    place = {"line": 1, "column": 1}
    told_outline = {
        "calls": [{"kind": "agent", **place, "within": list(range(1_000))}],
        "blocks": [{"kind": "loop", **place}] * 1_000,
        "phases": [],
    }
    tree = tree_of(read(told_outline))
    depth = 0
    node: Node = tree
    while isinstance(node, Group):
        (node,) = node.children
        depth += 1
    assert depth == 61
