"""What one run can tell of itself at any moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunStatistics:
    """A run now.

    Attributes:
        agents_started, agents_completed, agents_failed: as in `Census`, child workflows included.
        agents_waiting: calls of this run without an answer yet, at work or in the queue.
        tokens: as the agents reported, child workflows included.
        messages, bytes_sent, bytes_received: on the wire, with this run's child.
        wall_seconds: since it began; once it has ended, its child's, as in `Usage`.
    """

    agents_started: int
    agents_completed: int
    agents_failed: int
    agents_waiting: int
    tokens: int
    messages: int
    bytes_sent: int
    bytes_received: int
    wall_seconds: float
