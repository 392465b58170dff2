"""When what a journal was given is written."""

from __future__ import annotations

from collections.abc import Callable

import trio

from flowcage.host.run.past.journal import Journal

# An answer that was told waits so long for the reply to it: both are written in one commit, mostly.
ANSWER_WAITS_SECONDS = 0.005


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

    def after_step(self, *, is_told: bool) -> None:
        """Have what has happened written.

        Args:
            is_told: whether a child was told something last, and so will reply.
        """
        if not is_told:
            self._journal.flush()
        elif not self._is_due:
            self._is_due = True
            self._alarm(trio.current_time() + ANSWER_WAITS_SECONDS, self._flush)

    def _flush(self) -> None:
        self._is_due = False
        self._journal.flush()
