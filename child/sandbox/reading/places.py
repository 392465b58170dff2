"""Lines and columns of bytes of a source."""

from __future__ import annotations

from bisect import bisect_right


class Places:
    """Finds many places in one source; `source.position` finds one."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = [0]
        end = source.find(b"\n")
        while end >= 0:
            self._starts.append(end + 1)
            end = source.find(b"\n", end + 1)

    def of(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte, both from 1, columns in characters."""
        line = bisect_right(self._starts, offset)
        before = self._source[self._starts[line - 1] : offset]
        return line, len(before.decode("utf-8", "replace")) + 1
