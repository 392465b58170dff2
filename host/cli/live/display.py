"""The table on the terminal: drawn when something has happened, and once a second for its clocks.

Events are taken in at once; a frame is made a tenth of a second apart from the one before at the earliest,
however many there are. Making one takes some milliseconds, and writing it takes no time of the run
(`terminal.screen`).

Signals: SIGWINCH draws anew. The terminal of a process that was stopped and is continued (SIGCONT) has other
text below the frame by then, so it is drawn again under that. In the background nothing is drawn, since the
terminal belongs to another job; lines come as ever.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from flowcage.host.cli.live.board import Board
from flowcage.host.cli.live.drawing import draw
from flowcage.host.cli.live.palette import frame_of
from flowcage.host.cli.live.rows import rows
from flowcage.host.cli.lone_error import open_nursery_raising
from flowcage.host.events.records import Event
from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.terminal.screen import Frame, Screen

_FRAME_SECONDS = 0.1
_CLOCK_SECONDS = 1.0
# Of one core, at most, for making frames: those of a thousand child workflows take 30 ms each.
_SHARE = 0.05
# With less of either, there are lines.
LEAST_COLUMNS, LEAST_ROWS = 20, 5
# Of a table that stays as text.
_MOST_ROWS = 200


def size_of(descriptor: int) -> os.terminal_size | None:
    """Columns and rows of a terminal that has room for a table; None for another."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return None
    return size if size.columns >= LEAST_COLUMNS and size.lines >= LEAST_ROWS else None


class Display:
    """Of one board.

    Args:
        board: what is shown.
        screen: where.
        descriptor: of the terminal.
        colour: whether it gets colours.
        clock: the time on the clock that events have; by default it is gathered from them.
    """

    def __init__(
        self,
        board: Board,
        screen: Screen,
        descriptor: int,
        *,
        colour: bool,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._board = board
        self._screen = screen
        self._descriptor = descriptor
        self._colour = colour
        self._clock = clock or self._now
        self._told_at = time.monotonic()
        self._news = trio.Event()

    def take(self, event: Event) -> None:
        """Take in an event."""
        self._board.take(event)
        self._told_at = time.monotonic()
        self._news.set()

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show the board for the length of a block; what it has then stays as text."""
        before = signal.signal(signal.SIGCONT, lambda *_: self._screen.forget())
        try:
            async with open_nursery_raising(FlowcageError) as nursery:
                nursery.start_soon(self._draw_ever)
                nursery.start_soon(self._watch_signals)
                yield
                nursery.cancel_scope.cancel()
        finally:
            signal.signal(signal.SIGCONT, before)
            self._settle()

    async def _draw_ever(self) -> None:
        while True:
            began = time.thread_time()
            self._draw()
            cost = time.thread_time() - began
            await trio.sleep(max(_FRAME_SECONDS, cost / _SHARE))
            with trio.move_on_after(_CLOCK_SECONDS - _FRAME_SECONDS):
                await self._news.wait()
            self._news = trio.Event()

    async def _watch_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGWINCH) as signals:
            async for _ in signals:
                self._draw()

    def _draw(self) -> None:
        if self._screen.is_held:
            return
        size = size_of(self._descriptor)
        if size is None or not self._is_in_foreground():
            self._screen.forget()
            self._screen.draw(None)
        else:
            self._screen.draw(self._frame(size.columns, _room(size.lines)))

    def _settle(self) -> None:
        size = size_of(self._descriptor)
        columns = 80 if size is None else size.columns
        self._screen.settle(self._frame(columns, _MOST_ROWS))

    def _frame(self, columns: int, room: int) -> Frame:
        shown = rows(self._board, self._clock(), room)
        return frame_of(draw(shown, columns), colour=self._colour)

    def _now(self) -> float:
        return self._board.at + time.monotonic() - self._told_at

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # it is not the terminal that controls this process
            return True


def _room(lines: int) -> int:
    """Rows of a frame: two thirds of a large terminal, so that lines are seen above it."""
    return min(lines - 1, max(10, lines * 2 // 3))
