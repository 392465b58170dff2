"""What a run and its child workflows share: agent slots, tokens, the count of agents."""

from __future__ import annotations

from collections import deque
from types import TracebackType

import trio

from flowcage.protocol.messages import Budget


class Slots:
    """A semaphore whose queue is the order of the workflow's calls.

    Trio wakes the tasks of one batch in random order, so a task cannot queue for itself: `Answers` takes a
    ticket for each request as it comes, and one ticket is granted after the other has been used.

    Args:
        count: tickets that may be held at once.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._queue: deque[Ticket] = deque()
        self._entering: Ticket | None = None

    def ticket(self) -> Ticket:
        """A place at the end of the queue."""
        ticket = Ticket(self)
        self._queue.append(ticket)
        self._grant()
        return ticket

    def enter(self, ticket: Ticket) -> None:
        """The task of a granted ticket has woken up."""
        assert ticket is self._entering
        self._entering = None
        self._grant()

    def leave(self, ticket: Ticket) -> None:
        """Give back a slot, or a place in the queue."""
        if ticket.granted.is_set():
            self._free += 1
        if ticket is self._entering:
            self._entering = None
        ticket.left = True  # `_grant` drops it at its turn; taking it out here costs the queue's length
        self._grant()

    def _grant(self) -> None:
        while self._free and self._queue and self._entering is None:
            ticket = self._queue.popleft()
            if not ticket.left:
                self._free -= 1
                self._entering = ticket
                ticket.granted.set()


class Ticket:
    """``async with ticket:`` waits for its turn and holds a slot. Use it exactly once."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.granted = trio.Event()
        self.left = False

    async def __aenter__(self) -> None:
        try:
            await self.granted.wait()
        except BaseException:
            self._slots.leave(self)
            raise
        self._slots.enter(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._slots.leave(self)


class Account:
    """One per top-level run.

    Args:
        max_agents: agents at work at once; the others wait in the order of their calls.
        budget_tokens: the ceiling that workflows see, or None.
    """

    def __init__(self, max_agents: int, budget_tokens: int | None) -> None:
        self.slots = Slots(max_agents)
        self._total = budget_tokens
        self.tokens = 0
        self.agents = 0

    @property
    def budget(self) -> Budget:
        """What a workflow may know."""
        return Budget(self._total, self.tokens)

    def charge(self, tokens: int) -> None:
        """Count one agent's reported tokens."""
        self.tokens += tokens
