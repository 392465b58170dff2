"""The events of a kept run as lines with the time of the day."""

from __future__ import annotations

from datetime import datetime

from flowcage.host.cli.progress import Narrator
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.telling import Diagnosed, Resumed
from flowcage.host.terminal.text import indented

_INDENT = " " * 26  # below the text of the first line


class Lines:
    """Of one run; child workflows are told apart by the request that started them."""

    def __init__(self) -> None:
        self._narrator = Narrator()
        self._names: dict[str, str] = {}

    def line(self, event: Event) -> str | None:
        """One line about an event; None for those that a person need not see."""
        if isinstance(event, records.ChildStarted):
            self._names[event.child_run_id] = event.source_name
        if (text := self._text(event)) is None:
            return None
        where = self._names.get(event.run_id)
        told = text if where is None else f"{text}  [{where}]"
        return f"{_time(event.time)}  {indented(told, _INDENT)}"

    def _text(self, event: Event) -> str | None:
        match event:
            case records.RunStarted(parent_run_id=None):
                return f"run {event.run_id} of {event.source_name} began"
            case records.RunEnded():
                return f"the run ended: {event.verdict}" + (f": {event.error}" if event.error else "")
            case records.ChildEnded():
                return f"<- workflow {self._names.get(event.child_run_id, '')} ended: {event.verdict}"
            case records.Sleeping():
                return f"   sleeps for {event.duration_ms / 1000:g} s"
            case Resumed():
                return f"resumed: the run goes on, in its life {event.life}"
            case Diagnosed():
                return f"note: {event.diagnostic.get('message')}"
        found = self._narrator.line(event)
        return None if found is None else found[1]


def _time(told: str) -> str:
    """The local time, to a thousandth of a second."""
    try:
        local = datetime.fromisoformat(told).astimezone()
    except (ValueError, OverflowError, OSError):
        return "?" * 23
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"
