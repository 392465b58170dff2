"""A run whose agents cannot be asked: nothing more is begun, and what is at work is waited for.

An account without credit answers nobody, so to ask on would only cost time, and each call would fail. Those
at work may be done all the same, and are paid for: they are waited for, and then the run is halted. The call
that met it has no end in the history of the run, and is asked once more when that is gone on with.
"""

from __future__ import annotations

from flowcage.host.agents.errors import AgentsUnavailable
from flowcage.host.outcome.of_agents import RunHalted
from flowcage.host.run.core.commands import Ask
from flowcage.host.run.node import Node
from flowcage.protocol.messages import AgentRequest


class Outage:
    """Of one run with its child workflows.

    Attributes:
        failure: what the run ends with; None while agents can be asked.
    """

    def __init__(self) -> None:
        self.failure: RunHalted | None = None

    def holds(self, asked: Ask) -> bool:
        """Whether this is not to be asked."""
        return self.failure is not None and isinstance(asked.request, AgentRequest)

    def begin(self, error: AgentsUnavailable) -> None:
        """An agent has told that none can be asked. The first to tell says why."""
        if self.failure is None:
            self.failure = RunHalted(str(error))
            self.failure.__cause__ = error

    def halt(self, node: Node, at_work: int) -> None:
        """End the run that a workflow belongs to, once nothing is at work."""
        if self.failure is not None and at_work == 0:
            node.root.abandon(self.failure)
