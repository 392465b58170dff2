"""Lines of the table as bytes for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from flowcage.host.cli.live.drawing import Line
from flowcage.host.terminal.colours import painted
from flowcage.host.terminal.screen import Frame
from flowcage.host.terminal.text import encoded


def frame_of(lines: Sequence[Line], *, colour: bool) -> Frame:
    """Lines as they are drawn."""
    return Frame(tuple(encoded(_row(line, colour)) for line in lines), tuple(line.width for line in lines))


def _row(line: Line, colour: bool) -> str:
    row, column, is_certain = "", 0, True
    for part in line.parts:
        row += " " * (part.column - column)
        if not is_certain:
            row += f"\x1b[{part.column + 1}G"
        row += painted(part.text, part.style, colour=colour)
        column = part.column + cell_len(part.text)
        is_certain = is_certain and part.text.isascii()
    return row
