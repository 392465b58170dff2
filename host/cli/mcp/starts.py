"""How many runs a server lets go on at once: each is a process, and an agent that was misled starts many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.listing import part_of, query_of
from flowcage.host.ui.api.problems import Problem


class Starts:
    """Of one server.

    Args:
        runs: of the store, whoever began them.
        most: that may go on at once.
        states: of those that count.
    """

    def __init__(self, runs: KeptRuns, most: int, states: str = "running,asleep") -> None:
        self._runs = runs
        self._most = most
        self._states = states
        self._turn = trio.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A block that starts a run; one at a time, so that they are counted. Raises `Problem`."""
        self._runs.require_acts()
        async with self._turn:
            going = await part_of(self._runs, query_of({"state": self._states, "limit": f"{self._most}"}))
            if len(going.runs) >= self._most:
                raise Problem(
                    429,
                    f"{self._most} runs go on or sleep already, as many as this server lets; cancel one or "
                    "wait for its end, or have it started with a higher --max-runs",
                )
            yield
