"""When what a journal was given is written."""

from __future__ import annotations

from collections.abc import Callable

import trio

from flowcage.host.run.past.journal import Journal

# What has happened waits so long for what follows from it, such as the reply to an answer that was told: both
# are written at once, mostly. Whoever needs it kept does not wait for that (`Journal.kept`).
GATHERING_SECONDS = 0.005


class Flushes:
    """Of one run.

    Args:
        journal: that is flushed.
        alarm: has something called at a time of trio's clock.
    """

    def __init__(self, journal: Journal, alarm: Callable[[float, Callable[[], None]], None]) -> None:
        self._journal = journal
        self._alarm = alarm
        self._is_due = False

    def after_step(self) -> None:
        """Have what has happened written, soon."""
        if not self._is_due:
            self._is_due = True
            self._alarm(trio.current_time() + GATHERING_SECONDS, self._flush)

    def _flush(self) -> None:
        self._is_due = False
        self._journal.flush()
