"""The events of a run as a stream that a client can come back to.

Events are told from the run's history, so they are the same whenever, and by whichever process, they are
told. The id of an event is its number in there. A client that comes again gives the last one that it has had
(``Last-Event-ID``, as a browser's EventSource does), and hears what follows. The last event, ``outcome``, has
the number of the event before it and that of the life which it ended: a run may be gone on with, and then
there is more to hear.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import Any, NamedTuple

from flowcage.host.asgi.results import result_of
from flowcage.host.durable.records import Summary
from flowcage.host.resume.looking.news import news
from flowcage.host.resume.looking.telling import Telling
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.sse import Events

_PLACE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,15}))?")
_OVER = ("ended", "diverged")


class Place(NamedTuple):
    """Where a client has come to.

    Attributes:
        seq: number of the last event that it has had.
        life: that it has heard the end of; 0 for none.
    """

    seq: int = 0
    life: int = 0

    @classmethod
    def of(cls, identifier: str | None) -> Place:
        """From the id of an event; what is none is the beginning."""
        found = _PLACE.fullmatch(identifier or "")
        return cls() if found is None else cls(int(found[1]), int(found[2] or 0))

    def has_all_of(self, summary: Summary) -> bool:
        """Whether there is nothing more to hear."""
        return summary.state in _OVER and self.life == summary.epoch


async def events_of(runs: KeptRuns, run_id: str, place: Place) -> Events:
    """What has happened in a run, and what happens, until it has ended.

    Args:
        runs: of the tenant.
        run_id: of the run.
        place: behind which to begin.
    """
    record = await runs.record(run_id)
    telling = Telling(record.summary, record.rules)
    after, seq = place.seq, 0
    async with aclosing(news(runs.store, telling, runs.changes(run_id))) as found:
        async for summary, events in found:
            numbered = [event.seq for event in events if event.seq]
            if seq == 0 and after > max(numbered, default=0):
                after = 0  # no event of this run has had that id
            for event in events:
                seq = event.seq or seq
                if not 0 < event.seq <= after:
                    told: dict[str, Any] = event.to_json()
                    yield told["type"], told, str(event.seq) if event.seq else ""
            if summary.state in _OVER:
                record = await runs.record(run_id)
                outcome = result_of(record)
                if (last := telling.end(record)) is not None:
                    known = {name: outcome.get(name) for name in ("usage", "census")}  # which no history has
                    yield "ended", last.to_json() | known, ""
                yield "outcome", outcome, f"{seq}.{record.summary.epoch}"
                return
