"""Rows as lines of a terminal: columns below each other at any width, texts of anybody's in their places.

What a row is called stands first; counts, tokens, dollars and a clock end below each other; notes have what
is left. Columns are given up from `_GIVEN_UP` where a line would be too narrow for its name.

A terminal may take other widths of characters for true than `rich.cells` does, for joined emoji above all. So
a line that has anything but ASCII in it says where each column begins, and a frame is drawn without automatic
wrapping: a text that is wider than thought is cut, and moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from flowcage.host.cli.live.amounts import clock, dollars, tokens
from flowcage.host.cli.live.choice import Row
from flowcage.host.terminal.text import safe

_GAP = 2
_MOST_OF_NAME = 0.45  # of the width, where there are notes
_LEAST_NAME = 12
_LEAST_NOTES = 10
_LEAST_BESIDE_NOTES = 24  # of a name that is as long: agents are told apart by the ends of their labels
# In this order, where a name had less than this.
_GIVEN_UP = {"tokens": 12, "cost": 12, "seconds": 12, "calls": 6}
_COLUMNS = ("calls", "tokens", "cost", "seconds")
# They make a character wide, or not, by what a terminal makes of it.
_NO_VARIATIONS = dict.fromkeys(range(0xFE00, 0xFE10))
_STYLES = {"run": "bold", "active": "", "done": "dim", "agent": "", "wait": "yellow", "more": "dim"}


class Part(NamedTuple):
    """A text that begins at a column, counted from 0."""

    column: int
    style: str
    text: str


class Line(NamedTuple):
    """One line of a frame.

    Attributes:
        parts: from left to right.
        width: in cells.
    """

    parts: tuple[Part, ...]
    width: int


def draw(shown: Sequence[Row], width: int) -> tuple[Line, ...]:
    """Lines that are less wide than the terminal: in its last column a cursor may wrap, or not.

    Args:
        shown: the rows.
        width: of the terminal, in cells.
    """
    if not shown:
        return ()
    width = max(1, width - 1)
    cells = [_cells(row, "") for row in shown]
    names = [_name(row, width) for row in shown]
    widths = _widths(cells, width)
    own = sum(widths.values()) + _GAP * len(widths)
    longest = max(map(cell_len, names))
    room = width - own - max(_LEAST_NAME, min(longest, _LEAST_BESIDE_NOTES))
    has_notes = any(row.notes for row in shown) and room >= _LEAST_NOTES + _GAP
    if not has_notes:  # that would tell of failures
        cells = [_cells(row, f" ✗{row.failed}" if row.failed else "") for row in shown]
        widths = _widths(cells, width)
        own = sum(widths.values()) + _GAP * len(widths)
    most = width - own
    if has_notes:
        most = min(most - _LEAST_NOTES - _GAP, max(_LEAST_BESIDE_NOTES, int(width * _MOST_OF_NAME)))
    of_name = max(1, min(longest, most))
    return tuple(
        _line(row, name, each, widths, of_name, width)
        for row, name, each in zip(shown, names, cells, strict=True)
    )


def plain(line: Line) -> str:
    """The text alone, with spaces between its columns."""
    text = ""
    for part in line.parts:
        text += " " * (part.column - cell_len(text)) + part.text
    return text


def fit(text: str, width: int) -> str:
    """A text of anybody's on one line, no wider than this, with an ellipsis where something is missing."""
    text = safe(" ".join(text[: 4 * width + 8].translate(_NO_VARIATIONS).split()))
    if cell_len(text) <= width and len(text) <= 2 * width + 8:
        return text
    cut, used = "", 0
    for character in text[: 2 * width + 8]:
        used += cell_len(character)
        if used > width - 1:
            break
        cut += character
    return f"{cut.rstrip()}…" if width > 0 else ""


def _name(row: Row, width: int) -> str:
    indent = "  " * min(row.depth, max(0, width // 10))
    return indent + fit(row.name, max(1, width - len(indent)))


def _cells(row: Row, failures: str) -> dict[str, str]:
    """The texts of the columns."""
    return {
        "calls": "" if row.total is None else f"{row.done}/{row.total}{failures}",
        "tokens": tokens(row.tokens) if row.tokens else "",
        "cost": dollars(row.cost_usd, row.is_partly_priced),
        "seconds": "" if row.seconds is None else clock(row.seconds),
    }


def _widths(cells: Sequence[dict[str, str]], width: int) -> dict[str, int]:
    """The widths of the columns that are shown."""
    widths = {name: max(len(each[name]) for each in cells) for name in _COLUMNS}
    widths = {name: wide for name, wide in widths.items() if wide}
    for name, least in _GIVEN_UP.items():
        if sum(widths.values()) + _GAP * len(widths) + least <= width:
            break
        widths.pop(name, None)
    return widths


def _line(
    row: Row, name: str, cells: dict[str, str], widths: dict[str, int], of_name: int, width: int
) -> Line:
    style = _STYLES[row.kind]
    indent = len(name) - len(name.lstrip(" "))
    parts = [Part(indent, style, fit(name, of_name - indent))]
    column = of_name
    for title, wide in widths.items():
        column += _GAP + wide
        if text := cells[title]:
            style = "red" if title == "calls" and row.failed else "dim" if row.kind == "done" else ""
            parts.append(Part(column - len(text), style, text))
    parts += _notes(row, column + _GAP, width)
    last = parts[-1]
    return Line(tuple(part for part in parts if part.text), last.column + cell_len(last.text))


def _notes(row: Row, column: int, width: int) -> Iterator[Part]:
    """Notes with commas between them, as far as there is room."""
    comma = ""
    for style, text in row.notes:
        room = width - column - len(comma)
        if room < min(cell_len(text), _LEAST_NOTES):  # a cut number would be another one
            return
        shown = fit(text, room)
        yield Part(column, style, comma + shown)
        column += len(comma) + cell_len(shown)
        comma = ", "
