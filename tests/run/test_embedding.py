"""A host in programs without trio: asyncio and plain threads, through a portal to a thread that has it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import trio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Host,
    HostClosing,
    Outcome,
    Overloaded,
    RunOptions,
    TenantLimits,
    WorkflowFailed,
)
from flowcage.host.events.records import AgentStarted, Event, RunEnded

from ..host.left_over import nothing_left

DEADLINE = 300
EXAMPLES = Path(__file__).parents[2] / "examples" / "embedding"
ASKS = 'export default agent("x")'


@contextmanager
def a_host(host: Host) -> Iterator[tuple[BlockingPortal, Host]]:
    """A host in a thread of its own; nothing of it is left afterwards."""
    with (
        nothing_left(recursive=True),
        start_blocking_portal("trio") as portal,
        portal.wrap_async_context_manager(host),
    ):
        yield portal, host


class Gate:
    """An agent, in the trio thread, that waits to be released; and what happens to its run."""

    def __init__(self) -> None:
        self.at_work = threading.Event()
        self.ended = threading.Event()
        self._released = trio.Event()
        self.options = RunOptions(agent=self, listener=self._hear)

    async def __call__(self, _call: AgentCall) -> AgentAnswer:
        await self._released.wait()
        return AgentAnswer("released")

    def release(self, portal: BlockingPortal) -> None:
        portal.call(self._released.set)

    def _hear(self, event: Event) -> None:
        if isinstance(event, AgentStarted):
            self.at_work.set()
        if isinstance(event, RunEnded):
            self.ended.set()


@pytest.mark.parametrize(
    ("program", "lines"),
    [
        ("trio", {"acme: HELLO, ADA", "globex: HELLO, GRACE", "hello to you, too"}),
        ("blocking", {"a: ONE", "b: 2", "c: failed"}),
        ("asyncio", {"['ONE', 2]", "too slow"}),
    ],
)
def test_every_example_of_embedding_runs_without_a_warning(program: str, lines: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{program}_program.py"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == lines


def test_blocking_code_gets_results_and_typed_errors() -> None:
    with a_host(Host(default=TenantLimits(runs_per_minute=2))) as (portal, host):
        assert portal.call(host.run, "export default 7").result == 7
        with pytest.raises(WorkflowFailed, match="boom"):
            portal.call(host.run, 'throw new Error("boom"); export default 1')
        with pytest.raises(Overloaded):
            portal.call(host.run, "export default 7")


def test_a_run_outlives_the_thread_that_asked_for_it() -> None:
    gate = Gate()
    futures: list[Future[Outcome]] = []
    with a_host(Host()) as (portal, host):
        work = partial(host.run, ASKS, options=gate.options)
        thread = threading.Thread(target=lambda: futures.append(portal.start_task_soon(work)))
        thread.start()
        assert gate.at_work.wait(DEADLINE)
        thread.join()
        gate.release(portal)
        assert futures[0].result(DEADLINE).result == "released"


def test_leaving_the_blocks_ends_the_runs_of_other_threads() -> None:
    gate = Gate()
    with ThreadPoolExecutor(1) as threads:
        with a_host(Host()) as (portal, host):
            waiting = threads.submit(portal.call, partial(host.run, ASKS, options=gate.options))
            assert gate.at_work.wait(DEADLINE)
        with pytest.raises(HostClosing):
            waiting.result(DEADLINE)


def test_cancelling_an_asyncio_task_kills_and_reaps_its_child_and_no_other() -> None:
    cancelled, other = Gate(), Gate()

    async def main() -> None:
        with a_host(Host()) as (portal, host):

            async def run(gate: Gate) -> Outcome:
                work = partial(host.run, ASKS, options=gate.options)
                return await asyncio.wrap_future(portal.start_task_soon(work))

            tasks = [asyncio.create_task(run(gate)) for gate in (cancelled, other)]
            for gate in (cancelled, other):
                assert await asyncio.to_thread(gate.at_work.wait, DEADLINE)
            tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            assert await asyncio.to_thread(cancelled.ended.wait, DEADLINE)
            assert portal.call(host.statistics).scheduler.tally.running == 1
            other.release(portal)
            assert (await tasks[1]).result == "released"

    asyncio.run(main())


@pytest.mark.parametrize("launcher", ["Zygote", "Spawn"])
def test_when_the_program_is_killed_everything_of_its_host_goes_with_it(launcher: str) -> None:
    program = f"""
from functools import partial
from anyio.from_thread import start_blocking_portal
from flowcage.host import Host, RunOptions, {launcher}
from flowcage.host.events.records import Sleeping

def tell(event):
    if isinstance(event, Sleeping):
        print("asleep", flush=True)

with start_blocking_portal("trio") as portal:
    with portal.wrap_async_context_manager(Host(launcher={launcher})) as host:
        source = "export default SW.extra.sleep(1e6)"
        portal.call(partial(host.run, source, options=RunOptions(listener=tell)))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"asleep\n"
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert family
    _, alive = psutil.wait_procs(family, timeout=DEADLINE)
    assert alive == []
