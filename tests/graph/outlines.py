"""Outlines for tests, made from sources by the functions that the child has, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcage.child.sandbox.outline.outline import outline_of
from flowcage.child.sandbox.syntax_tree import Bounds, tree
from flowcage.host.graph.outline import Outline, read

# Texts that end quotes, name styles, are markup or Markdown, reorder lines, or are no text at all.
HOSTILE = (
    '"]; click n1 call alert(1)',
    "<script>alert(1)</script>",
    "]]></style><style>*{display:none}</style>",
    "&lt;b&gt; &quot; &#35; #quot; #35;",
    "end",
    "%%{init: {'securityLevel': 'loose'}}%%",
    "`**bold**`",
    "1. list",
    "- list",
    "a\nb\r\nc\u2028d",
    "\u202egnp.exe \u200b\x1b[31m\x00\x07",
    "\ud800",
    "::: x --> y |z| {a} ((b)) [[c]]",
    "---\ntitle: x\n---",
    "漢字 ﷽ e\u0301",
    "x" * 500,
    "' onload='alert(1)",
    "",
    " ",
)


class Unbounded(Bounds):
    """What a parse may cost in a test: anything."""

    def __init__(self) -> None:
        pass

    def begin(self) -> Callable[[], bool]:
        return lambda: True

    def check_time(self) -> None:
        pass


def told_of(text: str, meta: Any = None) -> dict[str, Any]:
    """The outline of a source, as JSON."""
    source = text.encode()
    return outline_of(source, tree(source, Unbounded()), Unbounded(), meta)


def outline(text: str) -> Outline:
    """The outline of a source."""
    return read(told_of(text))


def hostile(text: str) -> Outline:
    """An outline that has a text wherever one may be."""
    place: dict[str, Any] = {"line": 1, "column": 1}
    blocks: list[dict[str, Any]] = [
        {"kind": "loop", "text": text, "depends": True},
        {"kind": "branch", "arm": "then", "text": text},
        {"kind": "branch", "arm": text, "text": text},
        {"kind": "each", "text": text},
        {"kind": "function", "name": text},
        {"kind": "pipeline", "text": text},
        {"kind": "stage", "stage": 1},
    ]
    calls: list[dict[str, Any]] = [
        {"kind": "agent", "label": text, "prompt": text, "model": text, "phase": text, "within": [0, 1]},
        {"kind": "ask", "question": text, "label": text, "within": [0, 2]},
        {"kind": "exec", "command": text, "profile": text, "within": [3]},
        {"kind": "sleep", "ms": text, "within": [4]},
        {"kind": "workflow", "ref": text, "within": [5, 6]},
        {"kind": "function", "name": text, "within": []},
    ]
    return read(
        {
            "calls": [place | call for call in calls],
            "blocks": [place | block for block in blocks],
            "phases": [{"title": text}],
        }
    )
