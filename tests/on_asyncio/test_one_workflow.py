"""`run_workflow` of flowcage.asyncio: real children, handlers on the caller's loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable

import psutil
import pytest

import flowcage
import flowcage.asyncio
from flowcage import (
    Agent,
    AgentAnswer,
    AgentCall,
    Caller,
    HandlerFailed,
    RequestRejected,
    RunOptions,
    RunTimedOut,
    WorkflowFailed,
    WorkflowRequest,
    WrongEventLoop,
)
from flowcage.agents import Progress, aliased
from flowcage.asyncio import EventStream, check_workflow, on_this_loop, run_workflow
from flowcage.events import AgentProgressed, AgentStarted, Event, RunEnded

from .loops import DEADLINE, EACH_LOOP, Gate, cancelled, run_on

Loop = Callable[[], asyncio.AbstractEventLoop]
ASKS = 'export default await agent("x")'


@EACH_LOOP
def test_handlers_are_on_the_callers_loop_with_its_variables(loop: Loop) -> None:
    here: list[asyncio.AbstractEventLoop] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def agent(call: AgentCall) -> AgentAnswer:
        assert [asyncio.get_running_loop()] == here
        assert threading.current_thread() is threading.main_thread()
        await asyncio.sleep(0)
        return AgentAnswer(call.prompt + variable.get())

    async def main() -> None:
        here.append(asyncio.get_running_loop())
        variable.set("!")
        assert (await run_workflow(ASKS, options=RunOptions(agent=agent))).result == "x!"
        assert (await check_workflow(ASKS)).dialect == "module"

    run_on(loop, main)


@EACH_LOOP
def test_errors_are_of_the_same_types(loop: Loop) -> None:
    async def rejects(_call: AgentCall) -> AgentAnswer:
        raise RequestRejected("no")

    async def breaks(_call: AgentCall) -> AgentAnswer:
        raise ZeroDivisionError("mine")

    async def gives_up(_call: AgentCall) -> AgentAnswer:
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(WorkflowFailed, match="boom") as failed:
            await run_workflow('throw new Error("boom"); export default 1')
        assert failed.value.report.usage.messages > 0
        with pytest.raises(WorkflowFailed, match="no"):
            await run_workflow(ASKS, options=RunOptions(agent=rejects))
        with pytest.raises(HandlerFailed) as broken:
            await run_workflow(ASKS, options=RunOptions(agent=breaks))
        assert isinstance(broken.value.__cause__, ZeroDivisionError)
        with pytest.raises(HandlerFailed, match="was cancelled"):
            await run_workflow(ASKS, options=RunOptions(agent=gives_up))
        with pytest.raises(TypeError):
            await run_workflow(7)  # type: ignore[arg-type]

    run_on(loop, main)


@EACH_LOOP
def test_a_cancelled_task_ends_its_child_and_handler_first(loop: Loop) -> None:
    async def main() -> None:
        gate, me = Gate(), psutil.Process()
        before = set(me.children(recursive=True))
        task = asyncio.create_task(run_workflow(ASKS, options=RunOptions(agent=gate)))
        await gate.at_work.wait()
        assert set(me.children(recursive=True)) - before
        await cancelled(task)
        assert set(me.children(recursive=True)) == before
        assert gate.was_cancelled

    run_on(loop, main)


@EACH_LOOP
@pytest.mark.parametrize("turns", [*range(8), *(2**each for each in range(4, 13))])
def test_a_task_that_is_cancelled_at_any_moment_leaves_nothing(loop: Loop, turns: int) -> None:
    async def agent(_call: AgentCall) -> AgentAnswer:
        await asyncio.sleep(0)
        return AgentAnswer("")

    async def main() -> None:
        source = "for (;;) await agent('')"
        task = asyncio.create_task(run_workflow(source, options=RunOptions(agent=agent)))
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancelled(task)

    run_on(loop, main)


@EACH_LOOP
def test_a_task_that_is_cancelled_again_and_again_waits_for_its_child_all_the_same(loop: Loop) -> None:
    stubborn = asyncio.Event()

    async def agent(_call: AgentCall) -> AgentAnswer:
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            while not stubborn.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await stubborn.wait()
        return AgentAnswer(None)

    async def main() -> None:
        task = asyncio.create_task(run_workflow(ASKS, options=RunOptions(agent=agent)))
        await at_work.wait()
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        stubborn.set()
        await cancelled(task)

    at_work = asyncio.Event()
    run_on(loop, main)


@EACH_LOOP
def test_a_run_that_ends_by_itself_cancels_its_handlers(loop: Loop) -> None:
    async def main() -> None:
        gate = Gate()
        source = 'agent("x"); await SW.extra.sleep(1e6); export default 1'
        with pytest.raises(RunTimedOut):
            await run_workflow(source, options=RunOptions(agent=gate, timeout_seconds=2))
        assert gate.was_cancelled == gate.at_work.is_set()

    run_on(loop, main)


@EACH_LOOP
def test_events_are_read_on_the_loop(loop: Loop) -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        call.tell(Progress("half"))
        return AgentAnswer(1)

    async def main() -> None:
        stream = EventStream()
        options = RunOptions(agent=agent, listener=stream)
        task = asyncio.create_task(run_workflow(ASKS, options=options))
        kinds = [type(event) async for event in stream]
        assert kinds.index(AgentStarted) < kinds.index(AgentProgressed) < kinds.index(RunEnded)
        await task
        waiting = asyncio.create_task(anext(EventStream()))
        await asyncio.sleep(0)
        await cancelled(waiting)

    run_on(loop, main)


@EACH_LOOP
def test_listeners_hear_all_before_the_run_is_over_and_end_it_by_raising(loop: Loop) -> None:
    heard: list[Event] = []

    def raises(event: Event) -> None:
        if isinstance(event, AgentStarted):
            raise ZeroDivisionError("mine")

    async def main() -> None:
        await run_workflow(ASKS, options=RunOptions(listener=heard.append))
        assert isinstance(heard[-1], RunEnded)
        with pytest.raises(HandlerFailed) as failed:
            await run_workflow("for (;;) await agent('')", options=RunOptions(listener=raises))
        assert isinstance(failed.value.__cause__, ZeroDivisionError)

    run_on(loop, main)


@EACH_LOOP
def test_a_handler_starts_child_workflows_and_agents_of_ours_have_handlers_on_the_loop(loop: Loop) -> None:
    here: list[asyncio.AbstractEventLoop] = []

    async def below(caller: Caller, _request: WorkflowRequest) -> object:
        assert (caller.depth, [asyncio.get_running_loop()]) == (0, here)
        return await caller.run_child('export default await agent("y")', "below.js", {})

    async def agent(call: AgentCall) -> AgentAnswer:
        assert [asyncio.get_running_loop()] == here
        return AgentAnswer([call.prompt, call.model])

    async def main() -> None:
        here.append(asyncio.get_running_loop())
        options = RunOptions(agent=aliased(on_this_loop(agent), {"a": "b"}), workflow=below)
        source = "export default [await workflow('w'), await agent('x', {model: 'a'})]"
        assert (await run_workflow(source, options=options)).result == [["y", None], ["x", "b"]]

    run_on(loop, main)


def test_a_handler_that_blocks_the_loop_keeps_no_limit_from_being_kept() -> None:
    async def agent(_call: AgentCall) -> AgentAnswer:
        child = next(each for each in psutil.Process().children(recursive=True) if each.pid not in before)
        psutil.wait_procs([child], timeout=DEADLINE)  # blocks the loop until the child is killed
        return AgentAnswer(1)

    async def main() -> None:
        options = RunOptions(agent=agent, timeout_seconds=2)
        with pytest.raises(RunTimedOut):
            await run_workflow(ASKS, options=options)

    before = psutil.pids()
    run_on(asyncio.new_event_loop, main)


def test_two_loops_in_one_process_share_the_host_and_not_their_handlers() -> None:
    barrier = threading.Barrier(2, timeout=DEADLINE)
    results: list[object] = []

    async def main() -> None:
        async def agent(call: AgentCall) -> AgentAnswer:
            assert asyncio.get_running_loop() is here
            barrier.wait()  # both are in their handlers at once
            return AgentAnswer(call.prompt)

        here = asyncio.get_running_loop()
        results.append((await run_workflow(ASKS, options=RunOptions(agent=agent))).result)

    async def both() -> None:
        await asyncio.gather(asyncio.to_thread(asyncio.run, main()), main())

    run_on(asyncio.new_event_loop, both)
    assert results == ["x", "x"]


def test_a_program_that_ends_while_runs_go_on_leaves_no_child() -> None:
    program = f"""
import asyncio
from flowcage import RunOptions
from flowcage.asyncio import run_workflow

async def main():
    at_work = asyncio.Event()
    async def agent(call):
        print("at work", flush=True)
        at_work.set()
        await asyncio.Event().wait()
    global task
    task = asyncio.ensure_future(run_workflow({ASKS!r}, options=RunOptions(agent=agent)))
    await at_work.wait()
    import psutil
    print(*(each.pid for each in psutil.Process().children(recursive=True)), flush=True)

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr
    first, pids = done.stdout.splitlines()
    assert first == "at work"
    assert pids
    assert not set(map(int, pids.split())) & set(psutil.pids())


def test_a_forked_process_has_a_host_of_its_own() -> None:
    program = """
import asyncio, os, sys
from flowcage.asyncio import Host, run_workflow

async def main():
    async with Host() as host:
        process = os.fork()
        if process:
            assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
            print((await host.run("export default 'parent'")).result)
            return
        asyncio._set_running_loop(None)
        print(asyncio.new_event_loop().run_until_complete(run_workflow("export default 'forked'")).result)
        sys.stdout.flush()
        os._exit(0)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("forked\nparent\n", "", 0)


def test_a_run_whose_handler_is_on_a_closed_loop_fails() -> None:
    async def agent(_call: AgentCall) -> AgentAnswer:
        raise AssertionError

    async def marked() -> Agent:
        return on_this_loop(agent)

    with asyncio.Runner() as first:
        lost = first.run(marked())

    async def main() -> None:
        with pytest.raises(HandlerFailed, match="loop is closed"):
            await run_workflow(ASKS, options=RunOptions(agent=lost))

    run_on(asyncio.new_event_loop, main)


CLOSES = """
import asyncio
from flowcage import RunOptions
from flowcage.asyncio import Host

async def agent(_call):
    asyncio.get_running_loop().stop()
    await asyncio.Event().wait()

async def begin():
    host = await Host().__aenter__()
    return host, await host.start("export default await agent('x')", options=RunOptions(agent=agent))

async def end(handle):
    try:
        await handle.outcome()
    except Exception as error:
        print(type(error).__name__, error)

lost = asyncio.new_event_loop()
host, handle = lost.run_until_complete(begin())
lost.run_forever()
lost.close()
asyncio.run(end(handle))
"""


def test_a_run_whose_handler_was_at_work_when_its_loop_was_closed_fails() -> None:
    done = subprocess.run([sys.executable, "-c", CLOSES], capture_output=True, text=True, timeout=DEADLINE)
    assert "HandlerFailed" in done.stdout, done.stderr
    assert "loop was closed on which the handler was at work" in done.stdout


def test_without_asyncio_the_error_says_so() -> None:
    call = run_workflow(ASKS)
    with pytest.raises(WrongEventLoop, match="needs asyncio, which does not run here"):
        call.send(None)


def test_arguments_are_those_of_flowcage() -> None:
    for name in ("run_workflow", "check_workflow", "replay"):
        assert inspect.signature(getattr(flowcage.asyncio, name)) == inspect.signature(
            getattr(flowcage, name)
        )
