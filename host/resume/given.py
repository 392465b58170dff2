"""What one live run is given from outside, and what it makes of it."""

from __future__ import annotations

from flowcage.host.durable.records import Cancel
from flowcage.host.outcome.cancel import CancelRequested
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.core.inputs import Answered, Refused
from flowcage.host.run.run import Run


class Given:
    """See `flowcage.host.resume.outside.Outside.hearing`.

    Args:
        keeper: of the run.
        run: that this host has.
    """

    def __init__(self, keeper: Keeper, run: Run) -> None:
        self._keeper = keeper
        self._run = run

    def take(self, answer: Answered | Refused) -> None:
        """An answer, which the store keeps until it is taken in."""
        self._keeper.discard_outside(answer.id)  # there is no request yet that is answered from outside

    def end(self, cancel: Cancel) -> None:
        """Somebody asked for the run to end."""
        self._run.abandon(CancelRequested(cancel.reason))
