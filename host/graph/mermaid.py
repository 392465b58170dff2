"""A workflow as a flowchart of Mermaid (https://mermaid.js.org/syntax/flowchart.html)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from flowcage.host.graph.tree import Group, Node, Step

_SHAPES = {
    "agent": ('["', '"]'),
    "workflow": ('[["', '"]]'),
    "function": ('[["', '"]]'),
    "ask": ('{{"', '"}}'),
    "sleep": ('(["', '"])'),
    "exec": ('[/"', '"/]'),
    "more": ('["', '"]'),
    "decision": ('{"', '"}'),
    "whole": ('(["', '"])'),
}
# What stands for itself in a quoted text. Everything else is written as a number, so that no text can end the
# quotes, name a style, or become HTML or Markdown, to which "1." is a list.
_PLAIN = frozenset(" ,:_/+-()…×·?!=")
# More edges between what runs at once and what runs at once behind it meet in one point.
_MAX_EDGES = 6
# Mermaid draws no chart of more than 500 edges.
MAX_STEPS = 200


class _Ends(NamedTuple):
    """Where edges to a node go, and from where those behind it come: ids, with the words on the edge."""

    first: tuple[str, ...]
    last: tuple[tuple[str, str], ...]


def mermaid(tree: Group) -> str:
    """The text of a flowchart, with a line's end at its end."""
    return _Writer().whole(tree)


def quoted(text: str) -> str:
    """A text for between quotes."""
    first = "" if not text or text[0].isalnum() else f"#{ord(text[0])};"
    rest = text[1:] if first else text
    return first + "".join(char if char.isalnum() or char in _PLAIN else f"#{ord(char)};" for char in rest)


class _Writer:
    def __init__(self) -> None:
        self._lines = ["flowchart TD"]
        self._numbers = count(1)
        self._level = 1

    def whole(self, tree: Group) -> str:
        if tree.children:
            self._sequence(tree.children)
        else:
            self._node("whole", "asks for nothing")
        return "\n".join(self._lines) + "\n"

    def _write(self, line: str) -> None:
        self._lines.append(f"{'  ' * self._level}{line}")

    def _sequence(self, nodes: Iterable[Node]) -> _Ends:
        first: tuple[str, ...] = ()
        last: tuple[tuple[str, str], ...] = ()
        for node in nodes:
            ends = self._draw(node)
            self._connect(last, ends.first)
            first, last = first or ends.first, ends.last
        return _Ends(first, last)

    def _connect(self, last: tuple[tuple[str, str], ...], first: tuple[str, ...]) -> None:
        if len(last) > 1 and len(first) > 1 and len(last) * len(first) > _MAX_EDGES:
            meeting = self._id()
            self._write(f"{meeting}(( ))")
            self._edges(last, (meeting,))
            last = ((meeting, ""),)
        self._edges(last, first)

    def _edges(self, last: tuple[tuple[str, str], ...], first: tuple[str, ...]) -> None:
        for source, words in last:
            for target in first:
                self._write(
                    f'{source} -->|"{quoted(words)}"| {target}' if words else f"{source} --> {target}"
                )

    def _draw(self, node: Node) -> _Ends:
        if isinstance(node, Step):
            drawn = self._node(node.kind, f"{node.title} · {node.detail}" if node.detail else node.title)
            return _Ends((drawn,), ((drawn, ""),))
        return self._branch(node) if node.kind == "branch" else self._group(node)

    def _group(self, group: Group) -> _Ends:
        name = self._id()
        self._write(f'subgraph {name}["{quoted(_head(group))}"]')
        self._level += 1
        ends = self._at_once(group.children) if group.kind == "parallel" else self._sequence(group.children)
        self._level -= 1
        self._write("end")
        if group.kind == "loop":
            for source, words in ends.last:
                again = f"{words}, again" if words else "again"
                self._write(f'{source} -.->|"{quoted(again)}"| {ends.first[0]}')
        return ends

    def _at_once(self, nodes: Iterable[Node]) -> _Ends:
        all_ends = [self._draw(node) for node in nodes]
        return _Ends(
            tuple(each for ends in all_ends for each in ends.first),
            tuple(each for ends in all_ends for each in ends.last),
        )

    def _branch(self, branch: Group) -> _Ends:
        arms = [arm for arm in branch.children if isinstance(arm, Group)]
        decision = self._node("decision", arms[0].title if len(arms) == 1 else f"line {branch.line}")
        last: list[tuple[str, str]] = []
        for arm in arms:
            ends = self._sequence(arm.children)
            self._edges(((decision, "yes" if len(arms) == 1 else arm.title),), ends.first)
            last += ends.last
        if len(arms) == 1:
            last.append((decision, "no"))
        return _Ends((decision,), tuple(last))

    def _node(self, kind: str, text: str) -> str:
        name, (opens, closes) = self._id(), _SHAPES[kind]
        self._write(f"{name}{opens}{quoted(text)}{closes}")
        return name

    def _id(self) -> str:
        return f"n{next(self._numbers)}"


def _head(group: Group) -> str:
    name = f"Phase {group.title}" if group.kind == "phase" else group.title
    return f"{name}, depends on answers" if group.depends else name
