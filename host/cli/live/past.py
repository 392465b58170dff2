"""What a kept run did before it is followed, or gone on with."""

from __future__ import annotations

from flowcage.host.durable.records import RunRecord
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.news import told
from flowcage.host.resume.looking.telling import Telling


def events_of(record: RunRecord) -> list[Event]:
    """All events of a run until now.

    Raises:
        DamagedEntry: its log is none of a run's.
    """
    return told(Telling(record.summary, record.rules), record.entries)
