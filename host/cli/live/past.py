"""What a kept run did before it is followed, or gone on with."""

from __future__ import annotations

from collections.abc import Iterable

from flowcage.host.durable.records import Entry, RunRecord
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.telling import Telling


def events_of(record: RunRecord) -> list[Event]:
    """All events of a run until now.

    Raises:
        DamagedEntry: its log is none of a run's.
    """
    return told(Telling(record.summary, record.rules), record.entries)


def told(telling: Telling, entries: Iterable[Entry]) -> list[Event]:
    """The events of entries that have not been told."""
    return [event for entry in entries if entry.seq >= telling.next for event in telling.take(entry)[1]]
