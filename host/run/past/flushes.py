"""When what a journal was given is written.

A commit costs more than all that happens to a short run, so what is followed by something at once is written
with that. Nobody is asked meanwhile: whoever asks has all of it written first (`Journal.kept`).
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from flowcage.host.run.core.inputs import Compiled, Ended, Input, Lived, Opened, Said, Turn
from flowcage.host.run.core.tree import Tree
from flowcage.host.run.past.journal import Journal

# The child says what it asks for, or that it has ended.
_BEGINS = (Opened, Compiled)
# Of a run whose workflow is over: its end is written next.
_ENDS = (Said, Lived, Ended)
# An answer that was told waits so long for the reply to it: both are written in one commit, mostly.
ANSWER_WAITS_SECONDS = 0.005


class Flushes:
    """Of one run.

    Args:
        journal: that is flushed.
        tree: of the run.
        alarm: has something called at a time of trio's clock.
    """

    def __init__(
        self, journal: Journal, tree: Tree, alarm: Callable[[float, Callable[[], None]], None]
    ) -> None:
        self._journal = journal
        self._tree = tree
        self._alarm = alarm
        self._is_due = False

    def after_step(self, given: Input) -> None:
        """Have what has happened written, of which this was the last."""
        if isinstance(given, _BEGINS) or (isinstance(given, _ENDS) and self._is_over):
            return
        if not isinstance(given, Turn):
            self._journal.flush()
        elif not self._is_due:
            self._is_due = True
            self._alarm(trio.current_time() + ANSWER_WAITS_SECONDS, self._flush)

    @property
    def _is_over(self) -> bool:
        root = self._tree.workflows.get("")
        return root is None or root.is_over

    def _flush(self) -> None:
        self._is_due = False
        self._journal.flush()
