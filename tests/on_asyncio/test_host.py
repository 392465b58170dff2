"""`Host` of flowcage.asyncio: many runs, live runs, handles, a store; cancellation at each await."""

from __future__ import annotations

import asyncio
import inspect
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import flowcage
from flowcage import (
    AgentAnswer,
    AgentCall,
    Handlers,
    HostClosing,
    Overloaded,
    RequestNotWaiting,
    RunCancelled,
    RunOptions,
    SqliteStore,
    TenantLimits,
    WorkflowFailed,
)
from flowcage.asyncio import Host, LiveRun
from flowcage.events import Event, Requested, RunEnded, spans

from .loops import DEADLINE, EACH_LOOP, Gate, cancelled, run_on

Loop = Callable[[], asyncio.AbstractEventLoop]
ASKS = 'export default await agent("x")'
SLEEPS = "await SW.extra.sleep(1e6); export default 1"


@EACH_LOOP
def test_runs_of_one_host_at_once_and_a_cancelled_one_ends_alone(loop: Loop) -> None:
    async def main() -> None:
        first, second = Gate(), Gate()
        async with Host(options=RunOptions(agent=first)) as host:
            runs = [
                asyncio.create_task(host.run(ASKS)),
                asyncio.create_task(host.run(ASKS, handlers=Handlers(agent=second))),
            ]
            await asyncio.gather(first.at_work.wait(), second.at_work.wait())
            await cancelled(runs[0])
            assert first.was_cancelled
            assert host.statistics().scheduler.tally.running == 1
            second.released.set()
            assert (await runs[1]).result == "X"

    run_on(loop, main)


@EACH_LOOP
def test_errors_are_of_the_same_types(loop: Loop) -> None:
    async def main() -> None:
        host = Host(default=TenantLimits(runs_per_minute=1))
        with pytest.raises(HostClosing):
            await host.run(ASKS)
        async with host:
            with pytest.raises(WorkflowFailed, match="boom"):
                await host.run('throw new Error("boom"); export default 1')
            with pytest.raises(Overloaded):
                await host.run(ASKS)
            with pytest.raises(ValueError, match="key needs a store"):
                await host.start(ASKS, key="k")
            assert host.tenants() == ("default",)
            assert host.tenant_statistics("default").running == 0
        with pytest.raises(HostClosing):
            await host.run(ASKS)
        with pytest.raises(RuntimeError, match="entered once"):
            await host.__aenter__()

    run_on(loop, main)


@EACH_LOOP
def test_leaving_the_block_ends_runs_whose_callers_get_an_error(loop: Loop) -> None:
    async def main() -> None:
        gate = Gate()
        async with Host(options=RunOptions(agent=gate)) as host:
            run = asyncio.create_task(host.run(ASKS))
            handle = await host.start(SLEEPS)
            await gate.at_work.wait()
        with pytest.raises(HostClosing):
            await run
        assert handle.state == "ended"

    run_on(loop, main)


@EACH_LOOP
def test_a_live_run_is_read_and_answered(loop: Loop) -> None:
    async def main() -> None:
        async with Host() as host, host.open_run(ASKS) as live:
            events: list[Event] = []
            async for event in live:
                events.append(event)
                if isinstance(event, Requested):
                    live.answer(event.request.id, "y", tokens=3)
                    with pytest.raises(RequestNotWaiting):
                        live.reject(event.request.id, "too late")
            assert (await live.outcome()).result == "y"
            assert isinstance(events[-1], RunEnded)
            assert live.statistics().tokens == 3
        with pytest.raises(RequestNotWaiting):
            live.answer("1", "too late")

    run_on(loop, main)


async def _next_event(live: LiveRun) -> None:
    async for _ in live:
        pass


@EACH_LOOP
@pytest.mark.parametrize("wait", [LiveRun.outcome, _next_event], ids=["outcome", "events"])
def test_a_cancelled_wait_in_a_live_run_ends_it_with_the_block(
    loop: Loop, wait: Callable[[LiveRun], Coroutine[Any, Any, Any]]
) -> None:
    async def main() -> None:
        async def use() -> None:
            async with host.open_run(SLEEPS) as live:
                opened.set_result(live)
                await wait(live)

        async with Host() as host:
            opened: asyncio.Future[LiveRun] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(use())
            live = await opened
            await cancelled(task)
            assert host.statistics().scheduler.tally.running == 0
            with pytest.raises(RunCancelled):
                await live.outcome()

    run_on(loop, main)


@EACH_LOOP
def test_a_handle_is_waited_for_and_cancelled(loop: Loop) -> None:
    async def main() -> None:
        async with Host() as host:
            done, endless = await host.start("export default 7"), await host.start(SLEEPS, run_id="endless")
            assert (await done.outcome()).result == 7
            assert (endless.run_id, endless.tenant) == ("endless", "default")
            waiting = asyncio.create_task(endless.wait())
            await asyncio.sleep(0)
            await cancelled(waiting)  # the wait, and not the run
            assert endless.state != "ended"
            await endless.cancel()
            with pytest.raises(RunCancelled):
                await endless.outcome()
        assert (await done.outcome()).result == 7  # when the host is gone, too

    run_on(loop, main)


@EACH_LOOP
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 6, 8, 16, 64, 256])
def test_a_program_that_is_cancelled_at_any_moment_leaves_nothing(loop: Loop, turns: int) -> None:
    async def program() -> None:
        async with Host() as host:
            async with host.open_run(ASKS) as live:
                async for event in live:
                    if isinstance(event, Requested):
                        live.answer(event.request.id, "y")
            await host.run("for (;;) await agent('')")

    async def main() -> None:
        task = asyncio.create_task(program())
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancelled(task)

    run_on(loop, main)


@EACH_LOOP
def test_a_run_of_a_store_is_gone_on_with(loop: Loop, tmp_path: Path) -> None:
    async def main() -> None:
        store, gate = SqliteStore.open(tmp_path / "runs.db"), Gate()
        try:
            async with Host(store=store) as host:
                run = asyncio.create_task(host.run(ASKS, run_id="kept", handlers=Handlers(agent=gate)))
                await gate.at_work.wait()
            with pytest.raises(HostClosing):
                await run
            gate.released.set()
            async with Host(store=store) as host:
                assert (await host.resume("kept", handlers=Handlers(agent=gate))).result == "X"
                assert [each.run_id for each in await host.runs()] == ["kept"]
                pages = [page async for page in host.page_changes("kept")]
                assert pages[0]["run"]["verdict"] == "completed"
        finally:
            await asyncio.to_thread(store.close)

    run_on(loop, main)


def test_an_error_in_a_group_of_tasks_ends_the_run_beside_it() -> None:
    async def fails_beside(run: Coroutine[Any, Any, object], gate: Gate) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run)
            await gate.at_work.wait()
            raise ZeroDivisionError

    async def main() -> None:
        async with Host() as host:
            gate = Gate()
            with pytest.raises(ExceptionGroup):
                await fails_beside(host.run(ASKS, handlers=Handlers(agent=gate)), gate)
            assert host.statistics().scheduler.tally.running == 0
            assert gate.was_cancelled

    run_on(asyncio.new_event_loop, main)


def test_methods_have_the_arguments_of_the_host_on_trio() -> None:
    def public(kind: type) -> dict[str, object]:
        own = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}
        return {name: callable(each) and inspect.signature(each) for name, each in own.items()}

    ours, theirs = public(Host), public(flowcage.Host)
    assert ours == theirs | {"open_run": ours["open_run"]}
    assert inspect.signature(Host) == inspect.signature(flowcage.Host)
    as_text = [str(inspect.signature(kind.open_run)).split(" -> ")[0] for kind in (Host, flowcage.Host)]
    assert as_text[0] == as_text[1]


def test_spans_are_under_that_of_the_caller_and_current_for_handlers() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")

    async def agent(_call: AgentCall) -> AgentAnswer:
        with tracer.start_as_current_span("handler"):
            return AgentAnswer(1)

    async def main() -> None:
        async with Host(options=RunOptions(agent=agent, listener=spans(tracer))) as host:
            with tracer.start_as_current_span("request"):
                await host.run(ASKS)

    run_on(asyncio.new_event_loop, main)
    ended = {span.context.span_id: span for span in exporter.get_finished_spans() if span.context}
    parents = {span.name: ended[span.parent.span_id].name for span in ended.values() if span.parent}
    assert parents["handler"].startswith("invoke_agent")
    assert parents["invoke_workflow workflow.js"] == "request"


def test_a_stream_that_is_read_on_trio_is_refused() -> None:
    with pytest.raises(TypeError, match=r"import it from flowcage\.asyncio"):
        Host(options=RunOptions(listener=flowcage.EventStream()))


@pytest.mark.parametrize("factory", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
def test_an_interrupt_ends_the_program_without_a_child(factory: str) -> None:
    program = f"""
import asyncio, uvloop
from flowcage import RunOptions
from flowcage.asyncio import Host

async def agent(call):
    print("at work", flush=True)
    await asyncio.Event().wait()

async def main():
    async with Host(options=RunOptions(agent=agent)) as host:
        await host.run({ASKS!r})

with asyncio.Runner(loop_factory={factory}) as runner:
    runner.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=DEADLINE)[1]
    assert said.endswith("KeyboardInterrupt\n")
    assert family
    assert not any(each.is_running() for each in family)
