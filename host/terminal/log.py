"""What an operator of a service is told, through the loggers of the standard library under ``flowcage``.

Levels: DEBUG follows single steps; INFO is the course of runs; WARNING is what somebody should look at while
the service goes on; ERROR is what the service cannot do any more, or a fault of its own.

A record has its figures as attributes, by the names of `FIELDS`, beside a message for a person. Neither has a
prompt, an answer, a key, or the text of a workflow's error, which may quote any of them. Without a handler
nothing is written (`logging.NullHandler`). The names of loggers and fields are in docs/operating.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flowcage.host.terminal.text import cut, safe

_ROOT = logging.getLogger("flowcage")
_ROOT.addHandler(logging.NullHandler())

MAX_NAME = 200
MAX_REASON = 500


def logger(room: str) -> logging.Logger:
    """The logger ``flowcage.ROOM``."""
    return _ROOT.getChild(room)


def name_of(text: str) -> str:
    """A name that somebody else has chosen, such as a tenant's, as a log may have it: one line, bounded."""
    return " ".join(safe(cut(text, MAX_NAME)).split("\n"))


def reason_of(error: object) -> str:
    """The first line of why something of the machine or of flowcage's own failed."""
    return cut(safe(str(error)).partition("\n")[0], MAX_REASON)


class Sparingly:
    """Logs at most once in a while for each subject; what came in between is counted in the next record.

    Args:
        seconds: between two records of one subject.
        clock: in seconds.

    There may be as many subjects as the caller has kinds of them: they are not forgotten.
    """

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def may_tell(self, subject: str) -> int | None:
        """How many were left out since the last record; None where this one is left out, too."""
        now = self._clock()
        if now - self._last.get(subject, -self._seconds) < self._seconds:
            self._left_out[subject] = self._left_out.get(subject, 0) + 1
            return None
        self._last[subject] = now
        return self._left_out.pop(subject, 0)
