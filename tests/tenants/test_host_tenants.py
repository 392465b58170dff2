"""Tenants of one host: their zygotes, turns, quotas, and the memory of all."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Handlers,
    MemoryBudget,
    Overloaded,
    Quota,
    Spawn,
    TenantLimits,
    Zygote,
)
from flowcage.host.process.launch.greeting import initialize_message
from flowcage.host.process.launch.reserve import Reserve
from flowcage.host.run.options import Caller
from flowcage.host.tenants.resources import MAX_IDLE, Tenancies
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import WorkflowRequest

from ..host.hosts import DEADLINE_SECONDS, PLENTY, WAITING, Gate, host, in_trio

MIB = 1024 * 1024
USUAL = initialize_message(Limits(), "none")


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
            tenancies = Tenancies(Slow, lambda launcher: Reserve(launcher, USUAL, nursery.start_soon))
            for name in names:
                with tenancies.hold(name, PLENTY):
                    pass
            nursery.start_soon(tenancies.sweep)
            await closing.wait()  # the first
            with tenancies.hold(names[1], PLENTY) as second:
                go_on.set()
                await trio.testing.wait_all_tasks_blocked()
                with tenancies.hold(names[1], PLENTY) as again:
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
    async def child(run: Caller, request: WorkflowRequest) -> Any:
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
