"""The contract of a launcher, held by both."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import Any

import psutil
import pytest
import trio

from flowcage.host import ChildDied, Limits, RunError, RunOptions, WorkflowFailed, run_workflow
from flowcage.host.agents.answer import AgentAnswer
from flowcage.host.agents.call import AgentCall
from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.launch.zygote import Zygote
from flowcage.protocol.layers import missing_layers

from ..host.launchers import BOTH, Make, Watched, watched
from ..host.left_over import descriptors_free

DEADLINE_SECONDS = 300.0


def with_launcher(make: Make, test: Any) -> None:
    """Run an async test with a launcher that must leave nothing behind."""

    async def main() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            async with watched(make) as launcher:
                await test(launcher)

    trio.run(main)


async def verdict_of(source: str, launcher: Watched, **options: Any) -> Verdict:
    """How a run ends."""
    try:
        outcome = await run_workflow(source, options=RunOptions(launcher=launcher, **options))
    except RunError as error:
        return error.verdict
    return outcome.report.verdict


@BOTH
def test_a_child_runs_a_workflow_with_agents_and_args(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        source = "export default async ({ name }) => [await agent(name), await parallel([() => agent('b')])]"
        outcome = await run_workflow(source, args={"name": "Ada"}, options=RunOptions(launcher=launcher))
        assert outcome.result == ["echo: Ada", ["echo: b"]]

    with_launcher(make, test)


@BOTH
def test_a_child_has_every_layer_of_strict_isolation(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        outcome = await run_workflow("export default 1", options=RunOptions(launcher=launcher))
        assert missing_layers(outcome.report.isolation) == []

    with_launcher(make, test)


@BOTH
def test_the_same_layers_hold_by_either_launcher(make: Make) -> None:
    layers: dict[str, bool] = {}

    async def test(launcher: Watched) -> None:
        outcome = await run_workflow("export default 1", options=RunOptions(launcher=launcher))
        layers.update({name: layer.applied for name, layer in outcome.report.isolation.items()})

    with_launcher(make, test)
    reference = dict(layers)
    layers.clear()
    with_launcher(Spawn, test)
    assert layers == reference


@BOTH
def test_no_state_crosses_from_one_run_to_the_next(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        options = RunOptions(launcher=launcher)
        source = "globalThis.mark = 1; Array.prototype.mine = 2; export default [mark, [].mine]"
        assert (await run_workflow(source, options=options)).result == [1, 2]
        source = "export default [typeof mark, typeof [].mine]"
        assert (await run_workflow(source, options=options)).result == ["undefined", "undefined"]

    with_launcher(make, test)


LIMITS_THAT_HOLD = pytest.mark.parametrize(
    ("source", "limits", "verdict"),
    [
        ("for (;;);", {"step_timeout_ms": 200}, Verdict.STEP_TIMEOUT),
        (
            "const a = []; for (;;) a.push(new Array(1000).fill(1.5));",
            {"memory_bytes": 8 << 20},
            Verdict.MEMORY_LIMIT,
        ),
        (
            "[].indexOf.call({ length: 2 ** 53 - 1 }, 1)",
            {"cpu_seconds": 1, "step_timeout_ms": 60_000},
            Verdict.CPU_LIMIT,
        ),
        ("const f = () => f(); f();", {"stack_bytes": 100_000}, Verdict.FAILED),
        ("export default new Promise(() => {})", {}, Verdict.STALLED),
        ("export default (", {}, Verdict.FAILED),
    ],
)


@BOTH
@LIMITS_THAT_HOLD
def test_every_limit_holds(make: Make, source: str, limits: dict[str, int], verdict: Verdict) -> None:
    async def test(launcher: Watched) -> None:
        assert await verdict_of(source, launcher, limits=Limits(**limits)) == verdict

    with_launcher(make, test)


@BOTH
def test_a_heap_of_one_run_is_no_smaller_and_no_larger_than_its_limit(make: Make) -> None:
    fill = (
        "const a = []; for (let i = 0; i < {}; i++) a.push('x'.repeat(1 << 20) + i); export default a.length"
    )

    async def test(launcher: Watched) -> None:
        limits = Limits(memory_bytes=32 << 20)
        assert await verdict_of(fill.replace("{}", "20"), launcher, limits=limits) == Verdict.COMPLETED
        assert await verdict_of(fill.replace("{}", "40"), launcher, limits=limits) == Verdict.MEMORY_LIMIT

    with_launcher(make, test)


@BOTH
@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGSYS"])
def test_a_child_that_a_signal_ends_is_told_as_such(make: Make, how: str) -> None:
    async def test(launcher: Watched) -> None:
        async def kill(call: AgentCall) -> AgentAnswer:
            os.kill(launcher.pids[-1], signal.Signals[how])
            await trio.sleep_forever()
            raise AssertionError(call)

        with pytest.raises(ChildDied) as caught:
            await run_workflow("export default agent('x')", options=RunOptions(launcher=launcher, agent=kill))
        assert caught.value.signal == how
        assert launcher.distrusted == (how != "SIGKILL")
        assert await verdict_of("export default 1", launcher) == Verdict.COMPLETED

    with_launcher(make, test)


@BOTH
def test_usage_is_the_childs_own(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        source = "let n = 0; for (let i = 0; i < 3e6; i++) n += i; export default n"
        outcome = await run_workflow(source, options=RunOptions(launcher=launcher))
        usage = outcome.usage
        assert usage.user_cpu_seconds + usage.system_cpu_seconds > 0.01
        assert usage.peak_rss_bytes > 4 << 20

    with_launcher(make, test)


@BOTH
def test_a_cancelled_run_leaves_no_child(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        with trio.CancelScope() as scope:

            async def stop(_call: AgentCall) -> AgentAnswer:
                scope.cancel()
                await trio.sleep_forever()
                raise AssertionError

            await run_workflow("export default agent('x')", options=RunOptions(launcher=launcher, agent=stop))
        assert scope.cancelled_caught
        assert not psutil.pid_exists(launcher.pids[0])

    with_launcher(make, test)


@BOTH
def test_a_launch_that_is_cancelled_leaves_no_child(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        await verdict_of("export default 1", launcher)
        with trio.CancelScope() as scope:
            scope.cancel()
            await run_workflow("export default 1", options=RunOptions(launcher=launcher))
        assert scope.cancelled_caught

    with_launcher(make, test)


@BOTH
def test_children_run_at_once(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        all_wait = trio.Event()
        waiting = 0

        async def meet(_call: AgentCall) -> AgentAnswer:
            nonlocal waiting
            waiting += 1
            if waiting == 20:
                all_wait.set()
            await all_wait.wait()
            return AgentAnswer("met")

        async def one() -> None:
            options = RunOptions(launcher=launcher, agent=meet)
            assert (await run_workflow("export default agent('x')", options=options)).result == "met"

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(one)

    with_launcher(make, test)


@BOTH
def test_without_descriptors_a_launch_fails_and_the_next_one_works(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        assert await verdict_of("export default 1", launcher) == Verdict.COMPLETED
        with descriptors_free(2), pytest.raises(LaunchFailed, match="Too many open files"):
            await run_workflow("export default 1", options=RunOptions(launcher=launcher))
        assert await verdict_of("export default 1", launcher) == Verdict.COMPLETED

    with_launcher(make, test)


@BOTH
def test_a_workflow_that_throws_is_told_with_the_place(make: Make) -> None:
    async def test(launcher: Watched) -> None:
        with pytest.raises(WorkflowFailed, match="boom") as caught:
            await run_workflow("\n  throw new Error('boom')", options=RunOptions(launcher=launcher))
        assert "workflow.js:2" in caught.value.stack

    with_launcher(make, test)


HOST = """
import importlib, sys, psutil, trio
from flowcage.host import RunOptions, run_workflow

async def tell(call):
    print(*(process.pid for process in psutil.Process().children()), flush=True)
    await trio.sleep_forever()

make = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
options = RunOptions(launcher=make(), agent=tell)
trio.run(lambda: run_workflow("export default agent('x')", options=options))
"""


@BOTH
def test_nothing_outlives_a_host_that_is_killed(make: Make) -> None:
    name = make.__module__, getattr(make, "__name__", "")
    with subprocess.Popen([sys.executable, "-c", HOST, *name], stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        processes = [os.pidfd_open(int(pid)) for pid in host.stdout.readline().split()]
        assert len(processes) == (2 if make is Zygote else 1)
        host.kill()
        for process in processes:
            assert select.select([process], [], [], DEADLINE_SECONDS)[0]
            os.close(process)
