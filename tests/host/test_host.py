"""Many runs in one program: turns, quotas, shutdown, and what is left behind: nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    ChildDied,
    Handlers,
    Host,
    HostClosing,
    LaunchFailed,
    MemoryBudget,
    Overloaded,
    Quota,
    RunOptions,
    Spawn,
    TenantLimits,
    Verdict,
    WorkflowFailed,
    Zygote,
)
from flowcage.host.inspection import is_filtered
from flowcage.host.launch.reserve import Reserve
from flowcage.host.run import Run
from flowcage.host.tenancy import MAX_IDLE, Tenancies
from flowcage.protocol.messages import WorkflowRequest

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE_SECONDS = 60.0
PLENTY = TenantLimits(max_queued=20_000, runs_per_minute=1_000_000, cpu_seconds_per_minute=6_000.0)
MIB = 1024 * 1024


@asynccontextmanager
async def host(**options: Any) -> AsyncIterator[Host]:
    """A host for the length of the block, under a deadline, which must leave no process and no descriptor."""
    descriptors, processes = set(os.listdir("/proc/self/fd")), set(psutil.Process().children())
    with trio.fail_after(DEADLINE_SECONDS):
        async with Host(**{"default": PLENTY, **options}) as made:
            yield made
    assert set(psutil.Process().children()) == processes
    assert set(os.listdir("/proc/self/fd")) == descriptors


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


@in_trio
async def test_a_run_has_its_args_its_handlers_and_its_limits() -> None:
    async def shout(call: AgentCall) -> AgentAnswer:
        return AgentAnswer(call.prompt.upper())

    async with host() as made:
        source = "export default async ({ name }) => agent(name)"
        outcome = await made.run(
            source, args={"name": "ada"}, handlers=Handlers(agent=shout), limits={"cpuSeconds": 7}
        )
        assert outcome.result == "ADA"
        assert outcome.report.limits["cpuSeconds"] == 7
        with pytest.raises(ValueError, match="there is no limit 'cpu'"):
            await made.run(source, limits={"cpu": 7})


@in_trio
async def test_a_failure_in_the_block_leaves_it_as_it_is() -> None:
    with pytest.raises(WorkflowFailed, match="boom"):
        async with host() as made:
            await made.run("throw new Error('boom')")


@in_trio
async def test_a_failure_in_the_block_is_not_lost_where_the_block_is_cancelled_as_well() -> None:
    async def fail() -> None:
        with trio.CancelScope() as scope:
            async with host():
                scope.cancel()
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()


@in_trio
async def test_a_host_is_entered_once() -> None:
    async with host() as made:
        with pytest.raises(RuntimeError, match="entered once"):
            await made.__aenter__()
        assert (await made.run("export default 1")).result == 1


@in_trio
async def test_a_host_whose_block_was_not_entered_says_so() -> None:
    with pytest.raises(HostClosing, match="never entered"):
        await Host().run("export default 1")


@in_trio
async def test_runs_of_one_tenant_never_share_a_zygote_with_another_tenant() -> None:
    made_launchers: list[Zygote] = []

    def launcher() -> Zygote:
        made_launchers.append(Zygote())
        return made_launchers[-1]

    async with host(launcher=launcher) as made:
        for tenant in ("a", "b", "a"):
            await made.run("export default 1", tenant=tenant)
        assert len(made_launchers) == 2
        assert made.statistics().launchers == 2


@in_trio
async def test_a_tenant_that_comes_back_while_idle_ones_are_closed_keeps_its_launcher() -> None:
    closing, go_on = trio.Event(), trio.Event()

    class Slow(Spawn):
        async def aclose(self) -> None:
            closing.set()
            await go_on.wait()

    names = [str(number) for number in range(MAX_IDLE + 2)]  # two too many
    with trio.fail_after(DEADLINE_SECONDS):
        async with trio.open_nursery() as nursery:
            tenancies = Tenancies(Slow, lambda launcher: Reserve(launcher, b"", nursery.start_soon))
            for name in names:
                async with tenancies.hold(name, PLENTY):
                    pass
            nursery.start_soon(tenancies.sweep)
            await closing.wait()  # the first
            async with tenancies.hold(names[1], PLENTY) as second:
                go_on.set()
                await trio.testing.wait_all_tasks_blocked()
                async with tenancies.hold(names[1], PLENTY) as again:
                    assert again is second
            assert len(tenancies) == MAX_IDLE + 1
            nursery.cancel_scope.cancel()


@in_trio
async def test_a_hundred_runs_at_once_wait_for_their_agents() -> None:
    gate = Gate()
    results: list[object] = []

    async with host() as made, trio.open_nursery() as nursery:

        async def one(number: int) -> None:
            outcome = await made.run(f"export default agent('{number}')", handlers=Handlers(agent=gate))
            results.append(outcome.result)

        for number in range(100):
            nursery.start_soon(one, number)
        await gate.until(100)
        assert made.statistics().scheduler.tally.running == 100
        gate.opened.set()
    assert sorted(results, key=lambda text: int(str(text))) == [str(number) for number in range(100)]


@in_trio
async def test_ten_thousand_queued_runs_of_one_tenant_delay_another_by_one_run_per_slot() -> None:
    slots = 4
    greedy, modest, done = 0, Gate(), trio.Semaphore(0)

    async def one_by_one(call: AgentCall) -> AgentAnswer:
        nonlocal greedy
        greedy += 1
        await done.acquire()
        return AgentAnswer(call.prompt)

    async with host(max_runs=slots, max_queued=20_000) as made, trio.open_nursery() as nursery:
        for _ in range(10_000):
            nursery.start_soon(
                lambda: made.run(WAITING, tenant="greedy", handlers=Handlers(agent=one_by_one))
            )
        while greedy < slots:
            await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.start_soon(lambda: made.run(WAITING, tenant="modest", handlers=Handlers(agent=modest)))
        await trio.testing.wait_all_tasks_blocked()
        assert made.tenant_statistics("greedy").queued == 10_000 - slots
        done.release()  # the first slot that is free again is the other tenant's
        await modest.until(1)
        assert greedy == slots
        nursery.cancel_scope.cancel()


@in_trio
async def test_every_quota_is_told_at_once_with_when_to_come_back() -> None:
    limits = TenantLimits(max_runs=1, max_queued=1, runs_per_minute=3)
    gate = Gate()
    async with host(default=limits) as made, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(lambda: made.run(WAITING, handlers=Handlers(agent=gate)))
            await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Overloaded) as full:
            await made.run("export default 1")
        assert (full.value.tenant, full.value.quota) == ("default", Quota.QUEUED_RUNS)
        await made.run("export default 1", tenant="other")
        gate.opened.set()
        while made.statistics().scheduler.tally.running or made.statistics().scheduler.tally.queued:
            await trio.testing.wait_all_tasks_blocked(0.01)
        await made.run("export default 1")
        with pytest.raises(Overloaded) as often:
            await made.run("export default 1")
        assert often.value.quota is Quota.RUNS_PER_MINUTE
        assert 0 < often.value.retry_after_seconds <= 60


@in_trio
async def test_cpu_of_runs_is_charged_to_their_tenant() -> None:
    limits = TenantLimits(cpu_seconds_per_minute=0.05)
    spin = "let n = 0; for (let i = 0; i < 2e7; i++) n += i; export default n"
    async with host(default=limits) as made:
        await made.run(spin)
        with pytest.raises(Overloaded) as caught:
            await made.run("export default 1")
        assert caught.value.quota is Quota.CPU_SECONDS_PER_MINUTE
        assert made.tenant_statistics("default").cpu_seconds > 0.05


@in_trio
async def test_agents_of_all_runs_of_a_tenant_share_its_cap() -> None:
    at_work = most = 0

    async def count(call: AgentCall) -> AgentAnswer:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await trio.testing.wait_all_tasks_blocked()
        at_work -= 1
        return AgentAnswer(call.prompt)

    async with host(default=TenantLimits(max_agents=3)) as made, trio.open_nursery() as nursery:
        source = "export default parallel([1, 2, 3, 4].map((n) => () => agent(`${n}`)))"
        for _ in range(5):
            nursery.start_soon(lambda: made.run(source, handlers=Handlers(agent=count)))
    assert most == 3


@in_trio
async def test_runs_wait_while_memory_is_short() -> None:
    available = 100 * MIB
    memory = MemoryBudget(50 * MIB, 10 * MIB, 4 * MIB, available=lambda: available)
    async with host(memory=memory) as made, trio.open_nursery() as nursery:
        available = 12 * MIB
        await trio.sleep(1.1)  # the host looks once a second
        done = trio.Event()

        async def one() -> None:
            await made.run("export default 1")
            done.set()

        nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert made.statistics().scheduler.tally.queued == 1
        available = 100 * MIB
        await done.wait()


@in_trio
async def test_child_workflows_are_measured_while_they_live_and_no_longer() -> None:
    async def child(run: Run, request: WorkflowRequest) -> Any:
        return await run.run_child(WAITING, str(request.ref), {})

    async def charge(_call: AgentCall) -> AgentAnswer:
        for _ in memory.sample():
            pass
        return AgentAnswer(memory.charged_bytes // MIB)

    memory = MemoryBudget(private=lambda _pid: 8 * MIB)
    source = "const seen = []; for (const n of [1, 2, 3]) seen.push(await workflow('w')); export default seen"
    async with host(memory=memory, launcher=Spawn) as made:
        outcome = await made.run(source, handlers=Handlers(agent=charge, workflow=child))
    assert outcome.result == [16, 16, 16]  # the parent and one child


@in_trio
async def test_leaving_the_block_ends_runs_that_wait_and_runs_that_run() -> None:
    gate = Gate()
    told: list[type[BaseException]] = []

    async with trio.open_nursery() as nursery:  # noqa: SIM117 - the runs outlive the host
        async with host(max_runs=20) as made:

            async def one() -> None:
                try:
                    await made.run(WAITING, handlers=Handlers(agent=gate))
                except HostClosing as error:
                    told.append(type(error))

            for _ in range(1_000):
                nursery.start_soon(one)
            await gate.until(20)
    assert told == [HostClosing] * 1_000
    with pytest.raises(HostClosing):
        await made.run("export default 1")


@in_trio
async def test_a_run_cancelled_by_the_closing_host_says_so_in_its_events() -> None:
    verdicts: list[Verdict] = []

    def listen(event: Any) -> None:
        if hasattr(event, "verdict"):
            verdicts.append(event.verdict)

    gate = Gate()
    async with trio.open_nursery() as nursery:  # noqa: SIM117 - the run outlives the host
        async with host() as made:

            async def one() -> None:
                with pytest.raises(HostClosing):
                    await made.run(WAITING, options=RunOptions(agent=gate, listener=listen))

            nursery.start_soon(one)
            await gate.until(1)
    assert verdicts == [Verdict.HOST_SHUTDOWN]


@in_trio
async def test_a_cancelled_caller_costs_its_own_run_only() -> None:
    gate = Gate()
    async with host(max_runs=2) as made, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: made.run(WAITING, handlers=Handlers(agent=gate)))
        for _ in range(5):
            with trio.move_on_after(0.05) as scope:
                await made.run(WAITING, handlers=Handlers(agent=gate))
            assert scope.cancelled_caught
        gate.opened.set()
    assert made.statistics().runs.by_verdict == {Verdict.COMPLETED: 1}


@in_trio
async def test_without_descriptors_runs_fail_and_the_host_goes_on() -> None:
    async with host() as made:
        await made.run("export default 1", limits={"cpuSeconds": 5})
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 2, hard))
        try:
            with pytest.raises(LaunchFailed, match="Too many open files"):
                await made.run("export default 1", limits={"cpuSeconds": 5})
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await made.run("export default 1")).result == 1


@in_trio
async def test_a_host_starts_its_children_by_exec_when_told_to() -> None:
    async with host(launcher=Spawn) as made:
        for _ in range(3):
            assert (await made.run("export default 1")).result == 1


@in_trio
async def test_a_spare_child_that_died_is_not_handed_out() -> None:
    async with host() as made:
        for _ in range(3):
            assert (await made.run("export default 1")).result == 1
            await trio.testing.wait_all_tasks_blocked(0.05)
            for process in psutil.Process().children():
                if os.getpgid(process.pid) == process.pid:  # caged: the spares; and the zygote
                    process.kill()
                    while process.status() != psutil.STATUS_ZOMBIE:
                        await trio.lowlevel.checkpoint()


@in_trio
async def test_after_a_crash_no_spare_child_of_the_same_layout_is_handed_out() -> None:
    async with host() as made:
        await made.run("export default 1")
        await trio.testing.wait_all_tasks_blocked(0.05)
        spares = [child.pid for child in psutil.Process().children() if is_filtered(child.pid)]
        assert spares
        with pytest.raises(ChildDied):
            await made.run((EXAMPLES / "attacks" / "crash.js").read_text())
        assert not [pid for pid in spares if psutil.pid_exists(pid)]


PROGRAM = """
import sys, trio
from flowcage.host import Handlers, Host
from flowcage.host.blocking import run_to_end_or_signal, Terminated

async def wait(call):
    print("agent", flush=True)
    await trio.sleep_forever()

async def main():
    async with Host() as host, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lambda: host.run("export default agent('x')", handlers=Handlers(agent=wait)))

try:
    run_to_end_or_signal(main)
except Terminated as ended:
    sys.exit(128 + ended.number)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("signals", "status"),
    [([signal.SIGTERM], 143), ([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130)],
    ids=["SIGTERM", "SIGINT", "two SIGINTs"],
)
def test_a_program_that_is_told_to_end_leaves_nothing(signals: list[signal.Signals], status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        for _ in range(5):
            assert program.stdout.readline() == b"agent\n"
        children = psutil.Process(program.pid).children(recursive=True)
        assert len(children) >= 6
        for number in signals:
            program.send_signal(number)
        assert program.wait(DEADLINE_SECONDS) == status
    assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []
