"""Cuts what a program writes into JSON objects, a line each; whatever else it writes is no fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcage.host.agents.redaction import redacted
from flowcage.host.terminal.text import plain_text, tail
from flowcage.protocol import strictjson

# A longer line is left out: it would be held in memory, and no message of use is as long.
MAX_LINE_BYTES = 64 * 1024 * 1024
# Of other lines, such as warnings that are printed first, so many characters are shown, from the end. More
# bytes are kept than that, because keys are looked for before they are cut.
_SAID_CHARACTERS = 1_000
_SAID_BYTES = 16 * 1024


class JsonLines:
    """The objects in a stream of bytes.

    Args:
        take: is given each object.
        passed_over: the beginning of lines that are not read, of which there may be many.

    Attributes:
        is_cut: whether the last line has no newline and is no object.
    """

    def __init__(self, take: Callable[[dict[str, Any]], None], passed_over: bytes | None = None) -> None:
        self._take = take
        self._passed_over = passed_over
        self._begun: list[bytes] = []
        self._size = 0
        self._said = b""
        self.is_cut = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._add(end)
            self._end()
        self._add(rest)

    def finish(self) -> None:
        """Take what there is after the last newline."""
        before = self._said
        self._end()
        self.is_cut = self._said is not before

    def _end(self) -> None:
        """Take the line that has begun."""
        line = b"".join(self._begun)
        self._begun.clear()
        is_whole, self._size = self._size <= MAX_LINE_BYTES, 0
        if self._passed_over is not None and line.startswith(self._passed_over):
            return
        if line.strip() and is_whole:
            self._read(line)

    @property
    def said(self) -> str:
        """The last of what is no object, without keys."""
        return tail(redacted(plain_text(self._said)), _SAID_CHARACTERS)

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_LINE_BYTES:
            self._begun.clear()
        elif part:
            self._begun.append(part)

    def _read(self, line: bytes) -> None:
        try:
            message = strictjson.loads(line.removeprefix(b"\xef\xbb\xbf").strip())
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict):
            self._take(message)
        else:
            self._said = (self._said + line + b"\n")[-_SAID_BYTES:]
