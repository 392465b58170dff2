"""Who keeps a run, so that another host can go on with it: the seam between a run and its store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flowcage.host.run.core.inputs import Input
from flowcage.protocol.messages import NO_MODULES, Budget, Json, Missing

if TYPE_CHECKING:
    from flowcage.host.run.options import RunOptions
    from flowcage.host.run.past.past import PastWorkflow


class Begun(NamedTuple):
    """A workflow as its child is told of it.

    Attributes:
        path: in the tree; "" is the root.
        args: `MISSING` where they were not kept; the handler that begins it again has them.
        budget: that it begins with, and can see.
        limits: of its child, by their names on the wire.
        modules: that it may import.
    """

    path: str
    source: str
    source_name: str
    args: Json | Missing
    dialect: str
    budget: Budget
    limits: Mapping[str, int]
    modules: Mapping[str, str] = NO_MODULES

    @classmethod
    def of(
        cls,
        path: str,
        source: str,
        source_name: str,
        args: Json | Missing,
        budget: Budget,
        options: RunOptions,
    ) -> Begun:
        """With what options say of it."""
        limits = options.limits.to_wire()
        return cls(path, source, source_name, args, options.dialect, budget, limits, options.modules)


class Journal(Protocol):
    """Keeps what happens to one run. The driver calls it in the order in which things happened."""

    def record(self, now: float, given: Input) -> None:
        """Take an input, before the core has it.

        Args:
            now: seconds since the run began.
            given: what happened; given to a new core in the same order, it gives the same commands.
        """

    def begin(self, begun: Begun) -> None:
        """Take a workflow whose child is about to be told its source."""

    async def past(self, path: str) -> PastWorkflow:
        """All that the child of a workflow was told and said by now.

        Raises:
            RunError: it cannot be read.
        """

    def flush(self) -> None:
        """Have all that was taken written down; this waits for nothing."""

    async def kept(self) -> None:
        """Wait until all that was taken by now is kept.

        Raises:
            RunError: nothing is kept any more, and the run ends with this.
        """
