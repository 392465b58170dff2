"""The page of a file of events, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from flowcage.host.page.cutting import CAPS, Caps
from flowcage.host.page.recorded.fold import EventsPage
from flowcage.host.page.recorded.reading import NoEvent, event_of
from flowcage.protocol import strictjson
from flowcage.protocol.limits import MIB

# Several times what any event has.
MOST_BYTES = 64 * MIB


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; a longer one than `MOST_BYTES` comes in parts, none of which is an event."""
    return iter(lambda: file.readline(MOST_BYTES), b"")


class Recorded(NamedTuple):
    """What was in a file.

    Attributes:
        document: the page document.
        unread: lines that are no events of the run, and what is wrong with the first of them.
    """

    document: dict[str, Any]
    unread: int
    why: str


def read(lines: Iterable[bytes], caps: Caps = CAPS) -> Recorded:
    """The page of the first run in a file; what others there are in it is not read.

    Raises:
        NoEvent: no line is an event.
    """
    page, run_id, unread, why = EventsPage(caps), None, 0, ""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = event_of(_value(line))
            root = event.root_run_id or event.run_id
            run_id = root if run_id is None else run_id
            if root != run_id:
                raise NoEvent(f"it is of another run, {root[:80]!r}")
        except NoEvent as error:
            unread, why = unread + 1, why or f"line {number}: {error}"
            continue
        page.take(event)
    if run_id is None:
        raise NoEvent(why or "it is empty")
    return Recorded(page.whole(), unread, why)


def _value(line: bytes) -> Any:
    try:
        return strictjson.loads(line)
    except ValueError as error:
        raise NoEvent(f"it is no JSON: {error}") from None
