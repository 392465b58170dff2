"""Cuts a body that comes in pieces into its messages: events (SSE), lines of JSON, or one for all of it.

`pending` of each is how many bytes it keeps of messages that are not whole.
"""

from __future__ import annotations

from collections.abc import Iterator


class Lines:
    """Lines of bytes, ended by LF, CR or both. Each byte is looked at twice at most."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._ended_in_cr = False
        self.pending = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that a piece completes."""
        if self._ended_in_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        if not piece:
            return
        self._ended_in_cr = piece.endswith(b"\r")
        lines = piece.splitlines()
        rest = lines.pop() if piece[-1:] not in (b"\n", b"\r") else b""
        for line in lines:
            yield b"".join((*self._begun, line))
            self._begun.clear()
            self.pending = 0
        if rest:
            self._begun.append(rest)
            self.pending += len(rest)

    def end(self) -> Iterator[bytes]:
        """The last line, where none of the bytes ended it."""
        if self._begun:
            yield b"".join(self._begun)
            self._begun.clear()


class Events:
    """The data of server-sent events (HTML, 9.2.6), without those that have none."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[bytes] = []
        self._size = 0

    @property
    def pending(self) -> int:
        return self._lines.pending + self._size

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that a piece completes."""
        for line in self._lines.feed(piece):
            yield from self._take(line)

    def end(self) -> Iterator[bytes]:
        """The last event, where no empty line ended it."""
        for line in self._lines.end():
            yield from self._take(line)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[bytes]:
        if not line:
            if self._data:
                yield b"\n".join(self._data)
            self._data.clear()
            self._size = 0
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._size += len(line)


class Whole:
    """A body that is one message."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.pending = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """No message: it ends with the body."""
        self._pieces.append(piece)
        self.pending += len(piece)
        return iter(())

    def end(self) -> Iterator[bytes]:
        """The message."""
        yield b"".join(self._pieces)
