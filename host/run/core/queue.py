"""Who waits for a place at work."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Queue:
    """Calls that wait for one of `cap` places, by id; those that are gone meanwhile are skipped.

    `is_paid` is whether they cost what the run has a ceiling for.
    """

    cap: int
    is_paid: bool = False
    waiting: deque[str] = field(default_factory=deque)
    busy: int = 0
