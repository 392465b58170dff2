"""The last lines of many, and how many there were before them."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any


class Tail:
    """Lines with a bound on their number and on their characters together.

    Args:
        lines, characters: the bounds.

    Attributes:
        left: how many lines were dropped.
    """

    def __init__(self, lines: int, characters: int) -> None:
        self._most_lines, self._most_characters = lines, characters
        self._lines: deque[dict[str, Any]] = deque()
        self._characters = 0
        self._new = 0
        self.left = 0

    def add(self, line: dict[str, Any]) -> None:
        """Keep a line, which has a member `text`."""
        self._lines.append(line)
        self._characters += len(line["text"])
        self._new += 1
        while len(self._lines) > self._most_lines or self._characters > self._most_characters:
            self._characters -= len(self._lines.popleft()["text"])
            self.left += 1

    def all(self) -> list[dict[str, Any]]:
        """Those that are kept."""
        return list(self._lines)

    def new(self) -> list[dict[str, Any]]:
        """Of these, those since `told` was called."""
        return list(islice(reversed(self._lines), self._new))[::-1]

    def told(self) -> None:
        """From now on, other lines are new."""
        self._new = 0
