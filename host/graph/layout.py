"""Where the parts of a drawing are: boxes within boxes, without a line that crosses another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from flowcage.host.graph.tree import Group, Node, Step

# Pixels. Letters are of one width, since a drawing cannot measure those of the reader's fonts.
LETTER = 7.3
LINE = 17.0
PADDING = 14.0
GAP = 24.0
# How much of the boxes behind the first shows, where there are several.
SHIFT = 5.0
_HEAD = 26.0
_LEAST_WIDTH = 90.0
# Wider rows of boxes side by side are broken.
_MOST_WIDTH = 1_100.0


@dataclass
class Box:
    """A part with its place.

    Attributes:
        node: what is drawn.
        width, height: of it, with its shadow.
        x, y: of its upper left corner, within the box around it.
        boxes: what is in it.
        links: pairs of numbers of `boxes`, of which the second follows the first.
    """

    node: Node
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    links: list[tuple[int, int]] = field(default_factory=list)


def columns_of(text: str) -> int:
    """How many letters wide a text is: East Asian ones are twice as wide, accents take no room."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def laid_out(node: Node) -> Box:
    """A box for a node, with places for what is in it."""
    if isinstance(node, Step):
        lines = [node.title, *([node.detail] if node.detail else [])]
        width = max(_LEAST_WIDTH, max(map(columns_of, lines)) * LETTER + 2 * PADDING)
        return Box(node, width, LINE * len(lines) + PADDING)
    boxes = [laid_out(child) for child in node.children]
    is_beside = node.kind in ("parallel", "branch", "pipeline")
    inner_width, inner_height = _beside(boxes) if is_beside else _below(boxes)
    head = 0.0 if node.kind in ("whole", "branch") else _HEAD
    width = max(inner_width, columns_of(title_of(node)) * LETTER if head else 0.0) + 2 * PADDING
    for box in boxes:
        box.x += (width - inner_width) / 2
        box.y += head + PADDING / (1 if not head else 2)
    height = inner_height + head + 1.5 * PADDING
    follow = [] if node.kind in ("parallel", "branch") else [(at, at + 1) for at in range(len(boxes) - 1)]
    shadow = SHIFT if node.repeats and node.kind != "loop" else 0.0
    return Box(node, width + shadow, height + shadow, boxes=boxes, links=follow)


def title_of(group: Group) -> str:
    """The words at the head of a group."""
    mark = " · depends on answers" if group.depends else ""
    return f"{'↻ ' if group.kind == 'loop' else ''}{group.title}{mark}"


def _below(boxes: Iterable[Box]) -> tuple[float, float]:
    """Put boxes below each other, in the middle; returns the size of all."""
    boxes = list(boxes)
    width = max((box.width for box in boxes), default=0.0)
    height = 0.0
    for box in boxes:
        box.x, box.y = (width - box.width) / 2, height
        height += box.height + GAP
    return width, max(0.0, height - GAP)


def _beside(boxes: list[Box]) -> tuple[float, float]:
    """Put boxes beside each other, in rows of a bounded width; returns the size of all."""
    x = y = row = width = 0.0
    for box in boxes:
        if x and x + box.width > _MOST_WIDTH:
            x, y, row = 0.0, y + row + GAP, 0.0
        box.x, box.y = x, y
        x += box.width + GAP
        row, width = max(row, box.height), max(width, x - GAP)
    return width, y + row
