"""Event loops of programs that await flowcage, and what such a program must not leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from flowcage import AgentAnswer, AgentCall

from ..host.left_over import nothing_left

# Of a test that hangs; nothing is measured.
DEADLINE = 300
# Worker threads that trio keeps for ten seconds in case they are of use again.
_OF_WORKERS = "Trio"

# The first uvloop of a process opens what it keeps.
uvloop.run(asyncio.sleep(0))

Main = Callable[[], Coroutine[Any, Any, None]]
EACH_LOOP = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def run_on(loop: Callable[[], asyncio.AbstractEventLoop], main: Main) -> None:
    """Run a program on a new loop; it leaves no process, descriptor, thread or task."""
    with nothing_left(recursive=True):
        threads = set(threading.enumerate())
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(_alone(main))
        left = set(threading.enumerate()) - threads
        assert [thread for thread in left if not thread.name.startswith(_OF_WORKERS)] == []


async def _alone(main: Main) -> None:
    async with asyncio.timeout(DEADLINE):
        await main()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and have it end as cancelled."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Gate:
    """An agent on the program's loop that waits to be released."""

    def __init__(self) -> None:
        self.at_work, self.released = asyncio.Event(), asyncio.Event()
        self.was_cancelled = False

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.at_work.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return AgentAnswer(call.prompt.upper())
