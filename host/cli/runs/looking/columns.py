"""Lines of a listing: texts of anybody's, each on one line and in its column."""

from __future__ import annotations

from collections.abc import Sequence

from flowcage.host.terminal.text import cut, safe


def one_line(text: str, most: int) -> str:
    """A text on one line, as much of it as there is room for."""
    return safe(cut(" ".join(text[: 4 * most].split()), most))


def pool_of(name: str) -> str:
    return name or "(usual)"


def aligned(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Rows with cells below each other; columns without any text are left out.

    Args:
        rows: with the same number of cells.
        right: columns that end below each other.
    """
    from rich.cells import cell_len  # a character may take two places, or none

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            " " * (width - cell_len(cell)) + cell if index in right else cell + " " * (width - cell_len(cell))
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
