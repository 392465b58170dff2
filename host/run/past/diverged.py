"""How a replay ends that is none."""

from __future__ import annotations

from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.run.core.inputs import Said


class ReplayDiverged(RunError):
    """A run that was to be gone on with did something else than before, when it was told the same.

    What it does depends on something that is not in its history, such as another build of the engine.

    Attributes:
        path: of the workflow in its run's tree; "" is the root.
        turn: the number of answers of the child before it.
        difference: in words.
        before, now: what the child had said and what it says, as far as that differs; None for nothing.
    """

    child_alive = True
    ends_run = True
    verdict = Verdict.DIVERGED

    def __init__(
        self, path: str, turn: int, difference: str, before: Said | None = None, now: Said | None = None
    ) -> None:
        where = f"its child workflow {path}" if path else "it"
        super().__init__(
            f"the run cannot be gone on with: told the same, {where} did not do the same at turn {turn}: "
            f"{difference}"
        )
        self.path = path
        self.turn = turn
        self.difference = difference
        self.before = before
        self.now = now

    def blame(self, others: str | None) -> None:
        """Say which versions were others when the run was begun, if any were: the likely reason."""
        if others is not None:
            self.args = (f"{self.args[0]}; the run was begun with {others}",)
