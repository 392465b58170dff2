"""Bytes to lines: the outermost layer of the wire contract (docs/protocol.md, Framing).

A line ends at ``\n`` and nowhere else: U+2028, U+0085 and a bare carriage return are content.
"""

from typing import NamedTuple

DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024


class Line(NamedTuple):
    """One complete line, without its newline."""

    data: bytes


class TooLong(NamedTuple):
    """A line over the limit, in place of its bytes, which were dropped as they came."""

    limit: int


class Truncated(NamedTuple):
    """The stream ended inside a line."""

    size: int


class LineReader:
    """Splits a byte stream into lines. It holds one unfinished line at most, of up to `max_bytes`.

    Args:
        max_bytes: longest line accepted, in bytes, the newline not counted.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._held = 0
        self._skipping = False

    @property
    def is_skipping(self) -> bool:
        """Whether the unfinished line is over the limit already."""
        return self._skipping

    def feed(self, data: bytes) -> list[Line | TooLong]:
        """Take the next bytes of the stream.

        Returns:
            The lines that they complete, in order.
        """
        found: list[Line | TooLong] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            found.append(self._complete(data[start:end]))
            start = end + 1
        self._hold(data[start:] if start else data)
        return found

    def finish(self) -> Truncated | None:
        """The unfinished line at the end of the stream; None where there is none."""
        if self._held:
            return Truncated(self._held)
        return None

    def _complete(self, tail: bytes) -> Line | TooLong:
        self._hold(tail)
        too_long, line = self._skipping, b"".join(self._chunks)
        self._chunks, self._held, self._skipping = [], 0, False
        return TooLong(self.max_bytes) if too_long else Line(line)

    def _hold(self, data: bytes) -> None:
        self._held += len(data)
        if self._skipping or self._held > self.max_bytes:
            self._chunks, self._skipping = [], True
        elif data:
            self._chunks.append(data)
