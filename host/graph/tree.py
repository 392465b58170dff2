"""The outline as a tree that drawings are made of.

Calls of the source's functions are replaced by what those ask for. Arms of one statement stand together, and
neighbours of one phase do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, TypeAlias

from flowcage.host.graph.outline import Block, Call, Outline
from flowcage.host.graph.words import arm as arm_title
from flowcage.host.graph.words import call_title, detail, head, one_line, phase_title

# More of one drawing nobody can read; functions that call each other would have no end.
MAX_STEPS = 600
_MAX_LEVELS = 60

GroupKind: TypeAlias = Literal[
    "phase", "parallel", "each", "pipeline", "stage", "loop", "branch", "arm", "function", "whole"
]


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes:
        kind: as in `Call`; ``more`` stands for what is left out.
        title: what it is called.
        detail: its model and the like; "" for nothing.
        line: where it is.
        phase: of it; None where the source does not say.
    """

    kind: str
    title: str
    detail: str
    line: int
    phase: str | None = None


@dataclass(frozen=True)
class Group:
    """Steps and groups that stand together.

    Attributes:
        kind: what holds them together.
        title: what it is called.
        children: in the order of the source. Those of ``parallel`` and ``branch`` do not follow each other;
            those of a ``branch`` are its arms.
        line: where it begins; 0 for a phase.
        depends: whether answers may decide how often, or whether at all.
        repeats: whether it is for several items at once, or one after the other.
    """

    kind: GroupKind
    title: str
    children: tuple[Node, ...]
    line: int = 0
    depends: bool = False
    repeats: bool = False


Node: TypeAlias = Step | Group


def tree_of(outline: Outline, most: int = MAX_STEPS) -> Group:
    """The tree of a workflow; its root is of kind ``whole``.

    Args:
        outline: of the workflow.
        most: steps that it may have.
    """
    children = _Builder(outline, most).program()
    return Group("whole", "", tuple(_by_phase(children)))


class _Builder:
    def __init__(self, outline: Outline, most: int) -> None:
        self._outline = outline
        self._left = most
        # The line and phase of the last call that has one: calls of other kinds than agents belong to it.
        self._last: tuple[int, str | None] = (0, None)
        self._functions: dict[str, list[Call]] = {}
        self._program: list[Call] = []
        for call in outline.calls:
            first = outline.blocks[call.within[0]] if call.within else None
            if first is not None and first.kind == "function":
                self._functions.setdefault(first.name, []).append(call)
            else:
                self._program.append(call)

    def program(self) -> list[Node]:
        found = self._nodes(self._program, 0, None, ())
        # What no statement of the program calls by name, such as methods, is shown by itself.
        called = {call.says.get("name", "") for call in self._outline.calls if call.kind == "function"}
        for name, calls in self._functions.items():
            if name not in called and self._left > 0:
                inner = self._nodes(calls, 1, None, (name,))
                found.append(Group("function", f"{one_line(name)}()", tuple(inner), calls[0].line))
        return found

    def _nodes(self, calls: list[Call], level: int, phase: str | None, stack: tuple[str, ...]) -> list[Node]:
        """The nodes for calls that stand in the same blocks down to a level."""
        found: list[Node] = []

        def block(call: Call) -> int:
            return call.within[level] if level < min(len(call.within), _MAX_LEVELS) else -1

        for number, same in groupby(calls, key=block):
            if self._left <= 0:
                break
            if number >= 0:
                inner = self._nodes(list(same), level + 1, phase, stack)
                found += [_group(self._outline.blocks[number], inner)] if inner else []
            else:
                for call in same:
                    found.extend(self._call(call, phase, stack))
        return _merged(found)

    def _call(self, call: Call, phase: str | None, stack: tuple[str, ...]) -> Iterator[Node]:
        if self._left <= 0:
            return
        self._left -= 1
        phase = self._phase_of(call, phase)
        name = call.says.get("name", "")
        if self._left == 0:
            yield Step("more", "… and more", "", call.line)
        elif call.kind != "function":
            yield Step(call.kind, call_title(call), detail(call), call.line, phase)
        elif name in stack or name not in self._functions:
            yield Step("function", f"{one_line(name)}() again", "", call.line, phase)
        else:
            inner = self._nodes(self._functions[name], 1, phase, (*stack, name))
            if len(inner) == 1 and isinstance(inner[0], Step):
                yield inner[0]
            elif inner:
                yield Group("function", f"{one_line(name)}()", tuple(inner), call.line)

    def _phase_of(self, call: Call, outer: str | None) -> str | None:
        """The phase of a call; of one that is no agent's, that of the agents or of ``phase()`` before it."""
        phase = call.says.get("phase", outer)
        if call.kind == "agent" or "phase" in call.says:
            self._last = (call.line, phase)
            return phase
        entered = [(each.line, each.title) for each in self._outline.phases if each.line is not None]
        before = max((each for each in entered if each[0] <= call.line), default=self._last)
        return phase or max(self._last, before, key=lambda each: each[0])[1]


def _group(block: Block, inner: list[Node]) -> Group:
    children = tuple(inner)
    if block.kind == "branch":
        return Group("arm", arm_title(block), children, block.line, block.depends)
    # A function within a function, or a stage within nothing, has no name of its own here.
    kind: GroupKind = block.kind  # type: ignore[assignment]
    repeats = block.kind in ("each", "loop", "pipeline")
    return Group(kind, head(block), children, block.line, block.depends, repeats)


def _merged(nodes: list[Node]) -> list[Node]:
    """Arms of one statement become one branch, and what goes through items at once one group."""
    found: list[Node] = []
    for node in nodes:
        last = found[-1] if found else None
        if isinstance(node, Group) and node.kind == "arm":
            if isinstance(last, Group) and last.kind == "branch" and last.line == node.line:
                arms = (*last.children, node)
                found[-1] = Group("branch", "", arms, node.line, last.depends or node.depends)
                continue
            node = Group("branch", "", (node,), node.line, node.depends)
        elif isinstance(node, Group) and node.kind == "parallel" and len(node.children) == 1:
            only = node.children[0]
            if isinstance(only, Group) and only.kind == "each":
                title = f"at once {only.title}"
                node = Group("parallel", title, only.children, node.line, only.depends, True)
        found.append(node)
    return found


def _by_phase(nodes: tuple[Node, ...] | list[Node]) -> Iterator[Node]:
    """Neighbours whose steps are all of one phase, in a group of that phase."""
    for title, same in groupby(nodes, key=_phase_of):
        if title is not None:
            yield Group("phase", phase_title(title), tuple(same))
            continue
        for node in same:
            if isinstance(node, Group):
                children = tuple(_by_phase(node.children)) if node.kind != "branch" else _arms(node)
                yield replace(node, children=children)
            else:
                yield node


def _arms(branch: Group) -> tuple[Node, ...]:
    """The arms of a branch, which stay beside each other."""
    return tuple(
        replace(arm, children=tuple(_by_phase(arm.children)))
        for arm in branch.children
        if isinstance(arm, Group)
    )


def _phase_of(node: Node) -> str | None:
    """The phase of all steps; None where they have several, or one has none."""
    phases = set(_phases(node))
    return phases.pop() if len(phases) == 1 else None


def _phases(node: Node) -> Iterator[str | None]:
    if isinstance(node, Step):
        yield node.phase
        return
    for child in node.children:
        yield from _phases(child)
