"""Flowcharts for Mermaid: their edges as a table, and that no text of a workflow leaves its quotes."""

from __future__ import annotations

import re

import pytest

from flowcage.host.graph.mermaid import MAX_STEPS, mermaid, quoted
from flowcage.host.graph.tree import tree_of

from .outlines import HOSTILE, hostile, outline

_TEXT = r'"[\w .,:_/+()…×·?!=#;\-]*"'
_LINES = [
    r"flowchart TD",
    rf"n\d+(\[{_TEXT}\]|\[\[{_TEXT}\]\]|\{{\{{{_TEXT}\}}\}}|\(\[{_TEXT}\]\)|\[/{_TEXT}/\]|\{{{_TEXT}\}})",
    r"n\d+\(\( \)\)",
    rf"subgraph n\d+\[{_TEXT}\]",
    r"end",
    rf"n\d+ (-->|-\.->)(\|{_TEXT}\|)? n\d+",
]
_LINE = re.compile(rf"\s*(?:{'|'.join(_LINES)})")


def chart(text: str) -> str:
    return mermaid(tree_of(outline(text), MAX_STEPS))


def edges(text: str) -> list[str]:
    """The edges between titles, with the words on them."""
    lines = [line.strip() for line in chart(text).splitlines()]
    names = {}
    for line in lines:
        if found := re.fullmatch(r"(n\d+)\W*\"(.*)\"\W*", line):
            names[found[1]] = found[2]
        elif found := re.fullmatch(r"(n\d+)\(\( \)\)", line):
            names[found[1]] = "o"
    arrows = (re.fullmatch(r"(n\d+) (-->|-\.->)(?:\|\"(.*)\"\|)? (n\d+)", line) for line in lines)
    return [
        f"{names[each[1]]} {'..' if '.' in each[2] else ''}{each[3] or ''}> {names[each[4]]}"
        for each in arrows
        if each
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("agent('1')\nagent('2')", ["1 > 2"]),
        ("parallel([() => agent('1'), () => agent('2')])\nagent('3')", ["1 > 3", "2 > 3"]),
        ("while (a) { agent('1'); agent('2') }\nagent('3')", ["1 > 2", "2 ..again> 1", "2 > 3"]),
        ("if (a) agent('1')\nagent('2')", ["if a yes> 1", "1 > 2", "if a no> 2"]),
        ("a ? agent('1') : agent('2')\nagent('3')",
         ["line 1 if a> 1", "line 1 if not a> 2", "1 > 3", "2 > 3"]),
        ("pipeline(f, () => agent('1'), () => agent('2'))", ["1 > 2"]),
        ("parallel([() => agent('1'), () => agent('2'), () => agent('3')])\n"
         "parallel([() => agent('4'), () => agent('5'), () => agent('6')])",
         ["1 > o", "2 > o", "3 > o", "o > 4", "o > 5", "o > 6"]),
    ],
)  # fmt: skip
def test_what_follows_what(text: str, found: list[str]) -> None:
    assert edges(text) == found


def test_phases_loops_and_what_depends_on_answers_have_names() -> None:
    text = "phase('Draft')\nconst r = await agent('1')\nwhile (r.more) { agent('2') }\n"
    lines = [line.strip() for line in chart(text).splitlines()]
    assert 'subgraph n1["Phase Draft"]' in lines
    assert any("loop: r#46;more, depends on answers" in line for line in lines)


def test_a_workflow_that_asks_for_nothing_says_so() -> None:
    assert chart("1") == 'flowchart TD\n  n1(["asks for nothing"])\n'


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_of_a_workflow_stays_in_its_quotes(text: str) -> None:
    for line in mermaid(tree_of(hostile(text), MAX_STEPS)).splitlines():
        assert _LINE.fullmatch(line), line


def test_what_is_quoted_begins_with_no_mark() -> None:
    assert quoted("- a") == "#45; a"
    assert quoted('"<&>#;`') == "#34;#60;#38;#62;#35;#59;#96;"
    assert quoted("ä漢 1") == "ä漢 1"
