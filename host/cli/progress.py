"""The progress of a run on stderr, beside its events in a file: a table, lines, or JSON."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from flowcage.host.cli.events_file import EventsFile
from flowcage.host.cli.live.narrator import Narrator
from flowcage.host.events import records
from flowcage.host.events.records import Event, Listener
from flowcage.host.terminal import text
from flowcage.host.terminal.colours import painted
from flowcage.host.terminal.text import indented
from flowcage.protocol import strictjson

T = TypeVar("T")

# Told by the table.
_IN_THE_TABLE = (
    records.PhaseEntered,
    records.AgentStarted,
    records.AgentCompleted,
    records.AgentCancelled,
)


class Past(NamedTuple):
    """What a run did before it is followed.

    Attributes:
        events: makes them.
        is_told: whether lines tell of them, or they are only known.
        table_lines: how many of these lines, the last ones, stand above a table.
    """

    events: Callable[[], Iterable[Event]]
    is_told: bool = False
    table_lines: int = 10


class Progress(NamedTuple):
    """How the command line wants a run to be told.

    Attributes:
        quiet: not at all.
        is_plain: by lines, on a terminal too.
        as_json: by its events, one a line.
        has_prompt: whether questions are shown by somebody else.
    """

    quiet: bool = False
    is_plain: bool = False
    as_json: bool = False
    has_prompt: bool = False


async def watched(
    run: Callable[[Listener | None], Awaitable[T]],
    events_file: EventsFile | None,
    progress: Progress,
    past: Past | None = None,
) -> T:
    """Run something with the listener that the command line asked for.

    Args:
        run: what is run.
        events_file: of all events.
        progress: how they are told on stderr.
        past: what happened before.

    Raises:
        HandlerFailed: the events file cannot be written.
    """
    if events_file is not None and events_file.is_terminal:  # a table and events would overwrite each other
        progress = progress._replace(is_plain=True)
    async with told(progress, past) as show:
        if events_file is None:
            return await run(show)
        return await events_file.record(lambda record: run(_both(record, show)))


@asynccontextmanager
async def told(
    progress: Progress, past: Past | None = None, clock: Callable[[], float] | None = None
) -> AsyncIterator[Listener | None]:
    """A listener that tells of a run, for the length of a block; None where nothing is to be told.

    Args:
        progress: how.
        past: as for `watched`.
        clock: as for `Display`.
    """
    if progress.quiet:
        yield None
    elif progress.as_json:
        for event in past.events() if past is not None and past.is_told else ():
            _tell_json(event)
        yield _tell_json
    elif progress.is_plain or not has_room_for_a_table():
        lines = _Lines(Narrator(has_prompt=progress.has_prompt))
        if past is not None:
            lines.take_all(past.events(), None if past.is_told else 0)
        yield lines.take
    else:
        async with _table(progress, past, clock) as listener:
            yield listener


@asynccontextmanager
async def _table(
    progress: Progress, past: Past | None, clock: Callable[[], float] | None
) -> AsyncIterator[Listener]:
    from flowcage.host.cli.live.board import Board
    from flowcage.host.cli.live.display import Display

    screen = text.stderr()
    assert screen is not None
    board, lines = Board(), _Lines(Narrator(has_prompt=progress.has_prompt), _IN_THE_TABLE)
    if past is not None:
        events = list(past.events())
        for event in events:
            board.take(event)
        lines.take_all(events, past.table_lines if past.is_told else 0)
    display = Display(board, screen, sys.stderr.fileno(), colour=text.wants_colour(), clock=clock)
    async with display.shown():
        yield _both(display.take, lines.take)


def has_room_for_a_table() -> bool:
    """Whether stderr is a terminal on which lines can be drawn anew."""
    if not text.is_interactive() or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    from flowcage.host.cli.live.display import size_of

    return size_of(sys.stderr.fileno()) is not None


def _both(record: Listener, show: Listener | None) -> Listener:
    def tell(event: Event) -> None:
        record(event)
        if show is not None:
            show(event)

    return tell


def _tell_json(event: Event) -> None:
    text.tell(text.escaped(strictjson.dumps(event.to_json())))


class _Lines:
    """Events as lines on stderr.

    Args:
        narrator: makes them.
        left_out: kinds of events that need none.
    """

    def __init__(self, narrator: Narrator, left_out: tuple[type[Event], ...] = ()) -> None:
        self._narrator = narrator
        self._left_out = left_out
        self._colour = text.wants_colour()

    def take(self, event: Event) -> None:
        """Tell of an event."""
        if (line := self._line(event)) is not None:
            text.tell(line)

    def take_all(self, events: Iterable[Event], most: int | None) -> None:
        """Tell of some, by so many lines at most, the last ones; None tells all."""
        lines = deque((line for event in events if (line := self._line(event)) is not None), most)
        for line in lines:
            text.tell(line)

    def _line(self, event: Event) -> str | None:
        line = self._narrator.line(event)
        if line is None or isinstance(event, self._left_out):
            return None
        return painted(indented(line[1]), line[0], colour=self._colour)
