"""What one run can tell of itself at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import trio

from flowcage.host.process.supervisor import Child
from flowcage.host.run.account import Account
from flowcage.protocol.messages import AgentRequest, Request


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


def statistics_of(
    account: Account, waiting: Iterable[Request], child: Child | None, began: float
) -> RunStatistics:
    """Put together what a run knows; it has no child at first."""
    channel = child.channel if child else None
    return RunStatistics(
        account.started,
        account.completed,
        account.failed,
        sum(isinstance(request, AgentRequest) for request in waiting),
        account.budget.spent,
        channel.messages if channel else 0,
        channel.bytes_sent if channel else 0,
        channel.bytes_received if channel else 0,
        child.wall_seconds if child and child.ended else round(trio.current_time() - began, 6),
    )
