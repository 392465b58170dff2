"""A run that was ended because somebody asked for it."""

from __future__ import annotations

from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.verdict import Verdict


class CancelRequested(RunError):
    """Somebody asked for the run to end; the child was killed.

    Attributes:
        reason: as it was given; it may be empty.
    """

    child_alive = True
    verdict = Verdict.CANCELLED

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"the run was cancelled: {reason or 'somebody asked for it'}")
        self.reason = reason
