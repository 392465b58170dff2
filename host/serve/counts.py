"""What became of the connections of one server."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from flowcage.host.outcome.histogram import Histogram

# What goes wrong with a connection: its user may not connect or has too many, nothing came in time, its time
# is over, its child crashed, there was no child.
Fault: TypeAlias = Literal["turned_away", "silent", "timeout", "crashed", "failed"]

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)


class Counts:
    """Counted by the server alone.

    Attributes:
        accepted: connections until now.
        open: connections now that were not turned away.
        children: of them, those with a child.
        faults: connections with which something went wrong.
        child_seconds: from fork to end.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.open = 0
        self.children = 0
        self.faults: Counter[Fault] = Counter()
        self.child_seconds = Histogram(_SECONDS)

    @contextmanager
    def child(self) -> Iterator[None]:
        """Around the life of one child."""
        self.children += 1
        began = time.monotonic()
        try:
            yield
        finally:
            self.children -= 1
            self.child_seconds.add(time.monotonic() - began)
