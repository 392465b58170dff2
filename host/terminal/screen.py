"""Lines above a frame that is drawn anew in its place, for a terminal that may be slow, stopped or gone.

A `Screen` is a `LineSink`: lines are queued and none is lost without being counted. The frame is no line. Of
those that are drawn while the thread is in write(2), only the last one is ever written, so a slow terminal
gets fewer frames, and no more bytes wait for it.

The frame stands below all lines, and the cursor below the frame, at column 0. What is on the terminal is
known to the thread alone (`_shown`): it is what it has written last. With the next write it goes up over
these rows, erases them where lines come in their place, and writes both. The cursor is hidden within one
write only, and so is visible whenever the process is stopped or killed. Rows do not wrap: a frame is written
with DECAWM off.

`hold` leaves the terminal to whoever asks a person something: there is no frame, and lines wait until
`release`, but for those of `write_through`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from flowcage.host.terminal.line_sink import LineSink, size_of

# DEC private modes: synchronized update (2026), cursor (25), automatic wrap (7). Unknown ones are ignored.
_BEGIN, _END = b"\x1b[?2026h\x1b[?25l", b"\x1b[?25h\x1b[?2026l"
_NO_WRAP, _WRAP = b"\x1b[?7l", b"\x1b[?7h"
_ERASE_BELOW, _ERASE_LINE = b"\x1b[J", b"\x1b[2K"
# Terminals that cut lines when they become narrower. All others wrap them anew.
_CUTS = ("linux", "screen", "vt", "ansi")


class Frame(NamedTuple):
    """What is drawn.

    Attributes:
        rows: without newlines.
        widths: of the rows, in cells.
    """

    rows: tuple[bytes, ...]
    widths: tuple[int, ...]


class Screen(LineSink):
    """Of one terminal. Without a frame it is a `LineSink` and nothing else."""

    _frame: Frame | None = None
    _is_new = False
    _is_drawn_on = False
    _shown: tuple[int, ...] = ()
    _is_lost = False
    _held: deque[bytes] | None = None
    _held_dropped = 0
    _taken: Frame | None = None

    def draw(self, frame: Frame | None) -> None:
        """Show a frame in the place of the one before; None leaves none."""
        with self._changed:
            self._is_drawn_on = True
            if self._held is None:
                self._frame, self._is_new = frame, True
                self._start()
                self._changed.notify_all()

    def settle(self, frame: Frame) -> None:
        """Show a last frame, which stays as text."""
        with self._changed:
            self.release()
            self.draw(None)
            self._is_drawn_on = False
            for row in frame.rows:
                self.write(row + b"\n")

    def forget(self) -> None:
        """What was drawn is not where it was: the next frame stands below. Signal handlers may call it."""
        self._is_lost = True

    def hold(self) -> None:
        """Leave the terminal to somebody else, if frames are drawn."""
        with self._changed:
            if self._is_drawn_on and self._held is None:
                self.draw(None)  # else what it says would be out of date
                self._held = deque()

    def release(self) -> None:
        """Take it back."""
        with self._changed:
            held, self._held = self._held, None
            for line in held or ():
                self._room += size_of(line)
                self.write(line)
            self._dropped, self._held_dropped = self._dropped + self._held_dropped, 0
            self._changed.notify_all()

    @property
    def is_held(self) -> bool:
        """Whether somebody else has the terminal."""
        return self._held is not None

    def write(self, line: bytes) -> None:
        """As `LineSink.write`; while the terminal is held, the line waits in what room there is."""
        with self._changed:
            if self._held is None:
                super().write(line)
            elif size_of(line) > self._room:
                self._held_dropped += 1
            else:
                self._room -= size_of(line)
                self._held.append(line)

    def write_through(self, line: bytes) -> None:
        """Write a line of whoever has the terminal."""
        super().write(line)

    def flush(self) -> bool:
        """As `LineSink.flush`."""
        self.release()
        if self._thread is None:  # nobody draws
            self._is_new = False
        return super().flush()

    def _has_work(self) -> bool:
        return self._is_new or super()._has_work()

    def _take(self) -> list[tuple[bytes, int]]:
        lines = super()._take() if self._queue else []
        self._is_writing, self._is_new = True, False
        if self._is_lost:
            self._shown, self._is_lost = (), False
        self._taken = self._frame
        return lines

    def _encoded(self, lines: Sequence[bytes]) -> bytes:
        """The lines, and the frame behind them."""
        frame = self._taken
        if frame is None and not self._shown:
            return b"".join(lines)
        up = _rows(self._shown, self._columns())
        data = _BEGIN + b"\r" + (b"\x1b[%dA" % up if up else b"")
        if lines or frame is None:
            data += _ERASE_BELOW + b"".join(lines)
        if frame is not None:
            rows = b"".join(_ERASE_LINE + row + b"\r\n" for row in frame.rows)
            data += _NO_WRAP + rows + _WRAP + _ERASE_BELOW
        self._shown = () if frame is None else frame.widths
        return data + _END

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._descriptor).columns
        except OSError:  # it is gone
            return 0


def _rows(widths: Sequence[int], columns: int) -> int:
    """How many rows a frame takes by now, which was drawn when the terminal may have been wider."""
    if columns <= 0 or not _reflows():
        return len(widths)
    return sum(max(1, -(-width // columns)) for width in widths)


def _reflows() -> bool:
    return "XTERM_VERSION" not in os.environ and not os.environ.get("TERM", "").startswith(_CUTS)
