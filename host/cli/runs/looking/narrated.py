"""The events of a kept run as lines with the time of the day."""

from __future__ import annotations

from datetime import datetime

from flowcage.host.cli.live.narrator import Narrator
from flowcage.host.events import records
from flowcage.host.events.records import Event
from flowcage.host.resume.looking.telling import Resumed
from flowcage.host.terminal.text import indented

_INDENT = " " * 26  # below the text of the first line


class Lines:
    """Of one run."""

    def __init__(self) -> None:
        self._narrator = Narrator()

    def line(self, event: Event) -> str | None:
        """One line about an event; None for those that a person need not see."""
        if (own := self._text(event)) is not None:
            text = self._narrator.named(event, own)
        elif (found := self._narrator.line(event)) is not None:
            text = found[1]
        else:
            return None
        return f"{_time(event.time)}  {indented(text, _INDENT)}"

    @staticmethod
    def _text(event: Event) -> str | None:
        """What only a history has, or is told in other words here."""
        match event:
            case records.RunStarted(parent_run_id=None):
                return f"run {event.run_id} of {event.source_name} began"
            case records.RunEnded():
                return f"the run ended: {event.verdict}" + (f": {event.error}" if event.error else "")
            case records.Sleeping():
                return f"   sleeps for {event.duration_ms / 1000:g} s"
            case Resumed():
                return f"resumed: the run goes on, in its life {event.life}"
            case records.Diagnosed():
                return f"note: {event.diagnostic.get('message')}"
        return None


def _time(told: str) -> str:
    """The local time, to a thousandth of a second."""
    try:
        local = datetime.fromisoformat(told).astimezone()
    except (ValueError, OverflowError, OSError):
        return "?" * 23
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"
