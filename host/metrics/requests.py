"""Requests that a server of pages was sent, as counted by whoever answers them."""

from __future__ import annotations

from collections import Counter

from flowcage.host.outcome.histogram import Histogram

_SECONDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0)


class Requests:
    """Of one server.

    Attributes:
        open: that are being answered, streams of events among them.
        answered: by status; 0 for those whose other end has gone before there was one.
        seconds: from the request to the end of its answer.
    """

    def __init__(self) -> None:
        self.open = 0
        self.answered: Counter[int] = Counter()
        self.seconds = Histogram(_SECONDS)

    def begin(self) -> None:
        """One has come."""
        self.open += 1

    def end(self, status: int, seconds: float) -> None:
        """It is over."""
        self.open -= 1
        self.answered[status] += 1
        self.seconds.add(seconds)
