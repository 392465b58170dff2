"""A host for a test, which must leave nothing behind; agents that wait until they are let go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Host,
    TenantLimits,
)

from .left_over import nothing_left

DEADLINE_SECONDS = 300.0
PLENTY = TenantLimits(max_queued=20_000, runs_per_minute=1_000_000, cpu_seconds_per_minute=6_000.0)


@asynccontextmanager
async def host(**options: Any) -> AsyncIterator[Host]:
    """A host for the length of the block, under a deadline, which must leave no process and no descriptor."""
    with nothing_left(), trio.fail_after(DEADLINE_SECONDS):
        async with Host(**{"default": PLENTY, **options}) as made:
            yield made


def in_trio(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test that is an async function."""

    def run() -> None:
        trio.run(test)

    run.__name__ = getattr(test, "__name__", "test")
    return run


class Gate:
    """Agents that wait until it opens."""

    def __init__(self) -> None:
        self.waiting = 0
        self.opened = trio.Event()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.waiting += 1
        await self.opened.wait()
        return AgentAnswer(call.prompt)

    async def until(self, count: int) -> None:
        """Return once so many wait at it."""
        while self.waiting < count:
            await trio.testing.wait_all_tasks_blocked(0.01)


WAITING = "export default agent('x')"
