"""A table of the awaits of a host on asyncio: each is cancelled by its caller, or ended by the other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from flowcage import Caller, HostClosing, RunOptions, SqliteStore, WorkflowRequest
from flowcage.asyncio import EventStream, Host
from flowcage.errors import CancelRequested, RunCancelled

from .loops import EACH_LOOP, Gate, cancelled, run_on

Loop = Callable[[], asyncio.AbstractEventLoop]
ASKS = "return await agent('x')"
SLEEPS = "await SW.extra.sleep(1e9); return 1"


class Scene:
    """A host whose runs wait for a gate, one at a time, and a run that its store has from before.

    Attributes:
        id: of the run that is awaited.
        ready: whether the await has come to where it waits.
    """

    id = "awaited"

    def __init__(self, host: Host, gate: Gate) -> None:
        self.host = host
        self.gate = gate
        self.busy = 0
        self.ready: Callable[[], bool] = gate.at_work.is_set

    @contextmanager
    def outlived(self) -> Iterator[None]:
        """A block that begins a run which outlives whoever awaits it, and is not cancelled itself."""
        ready, self.ready = self.ready, lambda: False
        yield
        self.busy, self.ready = 1, ready

    async def fill(self) -> None:
        """Have the only slot taken, so that what is awaited waits for its turn."""
        with self.outlived():
            await self.host.start(ASKS, run_id="busy")
            await self.gate.at_work.wait()
        self.ready = lambda: self.host.statistics().scheduler.tally.queued == 1


async def run_in_the_queue(scene: Scene) -> Any:
    await scene.fill()
    return await scene.host.run(ASKS, run_id=scene.id)


async def run_with_its_agent_at_work(scene: Scene) -> Any:
    return await scene.host.run(ASKS, run_id=scene.id)


async def run_that_sleeps(scene: Scene) -> Any:
    stream = EventStream()
    scene.ready = lambda: len(stream) >= 2  # started, sleep
    return await scene.host.run(SLEEPS, run_id=scene.id, options=RunOptions(listener=stream))


async def resume(scene: Scene) -> Any:
    return await scene.host.resume("left")


async def fork(scene: Scene) -> Any:
    return await scene.host.fork("left", new_run_id=scene.id)


async def explain_fork_in_the_queue(scene: Scene) -> Any:
    await scene.fill()
    return await scene.host.explain_fork("left")


async def open_run_in_the_queue(scene: Scene) -> Any:
    await scene.fill()
    async with scene.host.open_run(ASKS, run_id=scene.id):
        raise AssertionError


async def live_outcome(scene: Scene) -> Any:
    async with scene.host.open_run(ASKS, run_id=scene.id) as live:
        scene.ready = lambda: live.statistics().agents_waiting == 1
        return await live.outcome()


async def live_events(scene: Scene) -> Any:
    async with scene.host.open_run(ASKS, run_id=scene.id) as live:
        scene.ready = lambda: live.statistics().agents_waiting == 1
        return [event async for event in live][-1]


async def handle_outcome(scene: Scene) -> Any:
    with scene.outlived():
        handle = await scene.host.start(ASKS, run_id=scene.id)
    return await handle.outcome()


async def handle_wait(scene: Scene) -> Any:
    with scene.outlived():
        handle = await scene.host.start(ASKS, run_id=scene.id)
    return await handle.wait()


async def start_resume(scene: Scene) -> Any:
    with scene.outlived():
        handle = await scene.host.start_resume("left")
    return await handle.outcome()


async def events(scene: Scene) -> Any:
    stream = EventStream()
    with scene.outlived():
        handle = await scene.host.start(
            ASKS, run_id=scene.id, options=RunOptions(agent=scene.gate, listener=stream)
        )
    found = [event async for event in stream]
    await handle.wait()
    return found[-1]


async def child_workflow_of_a_handler(scene: Scene) -> Any:
    async def below(caller: Caller, _request: WorkflowRequest) -> object:
        return await caller.run_child(ASKS, "below.js", None)

    options = RunOptions(agent=scene.gate, workflow=below)
    return await scene.host.run("return await workflow('w')", run_id=scene.id, options=options)


async def page_changes(scene: Scene) -> Any:
    with scene.outlived():
        await scene.host.start(ASKS, run_id=scene.id)
        await scene.gate.at_work.wait()
    return [change async for change in scene.host.page_changes(scene.id)][-1]


class Row(NamedTuple):
    """One await.

    Attributes:
        left: what is raised where the host is left; None for a result.
        ended: what is raised where somebody cancels the run; None for a result.
    """

    wait: Callable[[Scene], Awaitable[Any]]
    left: type[Exception] | None = HostClosing
    ended: type[Exception] | None = CancelRequested


TABLE = [
    Row(run_in_the_queue),
    Row(run_with_its_agent_at_work),
    Row(run_that_sleeps),
    Row(child_workflow_of_a_handler),
    Row(resume),
    Row(fork),
    Row(explain_fork_in_the_queue),
    Row(open_run_in_the_queue),
    Row(live_outcome),
    Row(live_events, None, None),
    Row(handle_outcome),
    Row(handle_wait, None, None),
    Row(start_resume),
    Row(events, None, None),
    Row(page_changes, None, None),
]


def name_of(row: Row) -> str:
    """For the id of a test."""
    name: str = row.wait.__name__
    return name


EACH_ROW = pytest.mark.parametrize("row", TABLE, ids=name_of)


@asynccontextmanager
async def staged(path: Path) -> AsyncIterator[Scene]:
    """A scene; whatever becomes of it, the host can be left."""
    store = await asyncio.to_thread(SqliteStore.open, path / "runs.db")
    try:
        gate = Gate()
        async with Host(store=store, options=RunOptions(agent=gate)) as host:
            await host.start(ASKS, run_id="left")
            await gate.at_work.wait()
        gate = Gate()
        async with Host(store=store, options=RunOptions(agent=gate), max_runs=1) as host:
            yield Scene(host, gate)
    finally:
        await asyncio.to_thread(store.close)


async def waiting(scene: Scene, row: Row) -> asyncio.Task[Any]:
    """A task that waits where its row says."""
    task: asyncio.Task[Any] = asyncio.ensure_future(row.wait(scene))
    while not scene.ready():
        assert not task.done(), task.exception()
        await asyncio.sleep(0.005)
    return task


@EACH_LOOP
@EACH_ROW
def test_a_caller_that_is_cancelled_leaves_what_it_did_not_begin(
    loop: Loop, row: Row, tmp_path: Path
) -> None:
    async def main() -> None:
        async with staged(tmp_path) as scene:
            task = await waiting(scene, row)
            await cancelled(task)
            tally = scene.host.statistics().scheduler.tally
            assert (tally.running, tally.queued) == (scene.busy, 0)
            assert scene.gate.was_cancelled == (scene.gate.at_work.is_set() and not scene.busy)
            scene.gate.released.set()
            assert (await scene.host.run("return 1")).result == 1

    run_on(loop, main)


@EACH_ROW
def test_a_host_that_is_left_ends_each_await(row: Row, tmp_path: Path) -> None:
    async def main() -> None:
        async with staged(tmp_path) as scene:
            task = await waiting(scene, row)
        children = psutil.Process().children(recursive=True)
        await ends_with(task, row.left)
        assert children == []

    run_on(asyncio.new_event_loop, main)


# What waits for its turn is in no store yet, by which somebody could find it.
@pytest.mark.parametrize("row", [row for row in TABLE if "in_the_queue" not in name_of(row)], ids=name_of)
def test_a_run_that_somebody_cancels_ends_its_await(row: Row, tmp_path: Path) -> None:
    run_id = "left" if "resume" in name_of(row) else Scene.id

    async def main() -> None:
        async with staged(tmp_path) as scene:
            task = await waiting(scene, row)
            await scene.host.cancel(run_id)
            await ends_with(task, row.ended)

    run_on(asyncio.new_event_loop, main)


async def ends_with(task: asyncio.Task[Any], error: type[Exception] | None) -> None:
    if error is None:
        await task
        return
    with pytest.raises((error, RunCancelled) if error is CancelRequested else error):
        await task
