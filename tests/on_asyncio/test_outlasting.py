"""Waiting that is cancelled: by asyncio, and by scopes of anyio, which frameworks put around handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import pytest

from flowcage.asyncio import run_workflow
from flowcage.host.on_asyncio.outlasting import outlast

from .loops import EACH_LOOP, Gate, run_on

Loop = Callable[[], asyncio.AbstractEventLoop]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@EACH_LOOP
def test_a_scope_of_anyio_cancels_once_and_not_in_each_turn_of_the_loop(loop: Loop) -> None:
    """Until the child is reaped its handler's task goes on, and anyio would cancel it as often as it can."""

    async def main() -> None:
        cancels = 0

        def cancel() -> None:
            nonlocal cancels
            cancels += 1

        ending = asyncio.ensure_future(turns(500))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await outlast(ending, cancel)
        assert scope.cancelled_caught
        assert ending.done()
        assert not ending.cancelled()
        assert cancels == 1
        await asyncio.sleep(0)  # nothing of it is left for this task

    run_on(loop, main)


@EACH_LOOP
def test_a_task_that_anyio_has_cancelled_is_cancelled_again_by_asyncio(loop: Loop) -> None:
    async def main() -> None:
        ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        cancels = asyncio.Event()

        async def work() -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await outlast(ending, cancels.set)

        task = asyncio.create_task(work())
        await cancels.wait()
        for _ in range(3):
            task.cancel()
            await turns(3)
            assert not task.done()
        ending.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            await task

    run_on(loop, main)


@EACH_LOOP
def test_a_time_limit_and_a_group_of_anyio_end_a_run(loop: Loop) -> None:
    async def main() -> None:
        from flowcage import RunOptions

        gate = Gate()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(
                    lambda: run_workflow("export default agent('x')", options=RunOptions(agent=gate))
                )
                await gate.at_work.wait()
                scope.cancel()
        assert gate.was_cancelled
        with anyio.move_on_after(0.0) as over:
            await run_workflow("export default agent('x')", options=RunOptions(agent=gate))
        assert over.cancelled_caught

    run_on(loop, main)
