"""The clock of a store that many machines share: the server's.

When a run is due, and in which order runs came, must not depend on how well the clock of some machine is set.
A host asks the server for the time every now and then; between, it counts on with a clock that nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flowcage.host.durable.sql.database import Database

_EVERY_SECONDS = 10.0
# Of an answer that took longer it is not known well enough when it was right.
_LONGEST_WAY_SECONDS = 0.5
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def _counted() -> float:
    """Seconds that pass also while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ServerClock:
    """Milliseconds since 1970, as one server has them.

    Args:
        db: asked for the time once, here.
        counted: seconds since some moment.
    """

    def __init__(self, db: Database, counted: Callable[[], float] = _counted) -> None:
        self._counted = counted
        self._known = self._ask(db)

    def __call__(self) -> int:
        server, counted, _ = self._known
        return round(server + (self._counted() - counted) * 1000)

    def refresh(self, db: Database) -> None:
        """Ask the server, where that is some time ago. Raises what `db` raises."""
        if self._counted() - self._known[1] > _EVERY_SECONDS:
            known = self._ask(db)
            if known[2] <= max(self._known[2], _LONGEST_WAY_SECONDS):
                self._known = known  # at once, since other threads read it

    def _ask(self, db: Database) -> tuple[int, float, float]:
        """What the server says, when that was, and how long the answer took."""
        before = self._counted()
        server = int(db.execute(_NOW).fetchone()[0])
        way = self._counted() - before
        return server, before + way / 2, way
