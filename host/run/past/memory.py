"""What the attempts of agent calls leave for the next life of their host: notes, and what they have spent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from flowcage.host.run.core.inputs import Facts, Input, Remembered, Spent, Told


class Memory:
    """Of one attempt; see `flowcage.host.agents.call.Memory`.

    Args:
        request: its id in the run's tree.
        feed: takes what is remembered.
        keep: waits until it is kept.

    Attributes:
        is_over: whether the attempt has an end, and nothing is remembered any more.
    """

    __slots__ = ("_feed", "_keep", "is_over", "request")

    def __init__(
        self, request: str, feed: Callable[[Input], None], keep: Callable[[], Awaitable[bool]]
    ) -> None:
        self.request = request
        self.is_over = False
        self._feed = feed
        self._keep = keep

    def told(self, spent: Spent, facts: Facts) -> None:
        """Keep what the attempt has spent by now. Nobody waits until it is on the disk."""
        if not self.is_over:
            self._feed(Told(self.request, spent, facts))

    async def keep(self, handle: str) -> None:
        if self.is_over:
            raise RuntimeError(f"the call {self.request} has ended: nothing is remembered for it any more")
        self._feed(Remembered(self.request, handle))
        if not await self._keep():
            await trio.lowlevel.checkpoint_if_cancelled()  # the run is being ended
            raise RuntimeError(f"the run is being ended: nothing is remembered for its call {self.request}")
