"""What a tenant's schemas cost, its runs and its tenant pay for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Host,
    MemoryBudget,
    Overloaded,
    Quota,
    RunOptions,
    TenantLimits,
)
from flowcage.host.agents.schema import checker
from flowcage.host.agents.schema.checker import AT_ONCE
from flowcage.host.process import machine_memory as machine
from flowcage.host.run.run import Run
from flowcage.host.run.slots import Share

from ..host.children import Launcher
from ..host.hosts import in_trio

DEADLINE_SECONDS = 300.0
BURNING = """
const schema = { $ref: '#/$defs/d60', $defs: { d0: { type: 'integer' } } };
const twice = (name) => ({ allOf: [{ $ref: '#/$defs/' + name }, { $ref: '#/$defs/' + name }] });
for (let n = 1; n <= 60; n++) schema.$defs['d' + n] = twice('d' + (n - 1));
"""
CHECKED = "const schema = { items: { pattern: '^a' } };"
ASK = "return await parallel(Array.from({ length: %d }, () => () => agent('x', { schema })));"


async def one(_call: AgentCall) -> AgentAnswer:
    return AgentAnswer(1)


async def texts(_call: AgentCall) -> AgentAnswer:
    return AgentAnswer(["a"])


class Processes:
    """An account's processes: how many of them there are, and were at most."""

    def __init__(self) -> None:
        self.now = self.most = self.all = 0
        self.more = trio.Event()

    @contextmanager
    def __call__(self, _pid: int, _inherited: int) -> Iterator[None]:
        self.all += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.more.set()
        self.more = trio.Event()
        try:
            yield
        finally:
            self.now -= 1

    async def until(self, count: int) -> None:
        while self.all < count:
            await self.more.wait()


@pytest.fixture
def quick_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "CPU_SECONDS", 1)


@pytest.mark.usefixtures("quick_limit")
def test_what_a_check_burns_is_the_tenants_cpu() -> None:
    async def main() -> None:
        tenants = {"evil": TenantLimits(cpu_seconds_per_minute=1)}
        with trio.fail_after(DEADLINE_SECONDS):
            async with Host(tenants=tenants, options=RunOptions(agent=one)) as made:
                outcome = await made.run(BURNING + ASK % 1, tenant="evil")
                assert outcome.result == [None]
                measured = outcome.usage.user_cpu_seconds + outcome.usage.system_cpu_seconds
                assert made.tenant_statistics("evil").cpu_seconds >= measured + 1
                with pytest.raises(Overloaded) as caught:
                    await made.run("return 1", tenant="evil")
                assert caught.value.quota is Quota.CPU_SECONDS_PER_MINUTE
                assert (await made.run("return 1", tenant="good")).result == 1

    trio.run(main)


@in_trio
async def test_the_memory_of_a_check_is_the_runs() -> None:
    seen = trio.Event()

    def private(pid: int) -> int:
        with suppress(psutil.NoSuchProcess):
            if "flowcage.child.checker" in " ".join(psutil.Process(pid).cmdline()):
                seen.set()
        return machine.private_bytes(pid)

    memory = MemoryBudget(private=private)
    with trio.fail_after(DEADLINE_SECONDS):
        async with Host(memory=memory, options=RunOptions(agent=one)) as made, trio.open_nursery() as nursery:
            nursery.start_soon(made.run, BURNING + ASK % AT_ONCE)
            await seen.wait()
            nursery.cancel_scope.cancel()


@in_trio
async def test_a_run_in_a_host_waits_for_the_slots_of_its_tenant() -> None:
    slots = [object() for _ in range(AT_ONCE)]
    with trio.fail_after(DEADLINE_SECONDS):
        async with Host(options=RunOptions(agent=texts)) as made, trio.open_nursery() as nursery:
            with made._tenancies.hold("a", TenantLimits()) as tenancy:
                for slot in slots:
                    tenancy.checkers.acquire_on_behalf_of_nowait(slot)
                nursery.start_soon(partial(made.run, CHECKED + ASK % 1, tenant="a"))
                while not tenancy.checkers.statistics().tasks_waiting:
                    await trio.testing.wait_all_tasks_blocked(0.01)
                assert (await made.run(CHECKED + ASK % 1, tenant="b")).result == [["a"]]
                assert tenancy.checkers.statistics().tasks_waiting == 1
                for slot in slots:
                    tenancy.checkers.release_on_behalf_of(slot)


def run_beside(shares: list[Share], source: str, **options: Any) -> list[float]:
    """Runs side by side, one for each share; the CPU seconds that each was charged."""
    launcher = Launcher()
    runs: list[Run] = []

    async def main() -> None:
        given = RunOptions(launcher=launcher, timeout_seconds=DEADLINE_SECONDS, **options)
        async with trio.open_nursery() as nursery:
            for share in shares:
                runs.append(Run(given, "w.js", share))
                nursery.start_soon(runs[-1].execute, source, {})

    trio.run(main)
    launcher.assert_nothing_left()
    return [run.cpu_seconds for run in runs]


def test_runs_of_one_tenant_share_its_slots_for_checks() -> None:
    slots, processes = trio.CapacityLimiter(AT_ONCE), Processes()
    shares = [Share(process=processes, checkers=slots) for _ in range(3)]
    cpu_seconds = run_beside(shares, CHECKED + ASK % 4, agent=texts)
    # Beside the three children. Each run checks its schema once, and each of four answers.
    assert processes.most <= 3 + AT_ONCE
    assert processes.all == 3 * (1 + 1 + 4)
    assert [round(seconds, 1) > 0 for seconds in cpu_seconds] == [True] * 3


def test_a_run_outside_a_host_has_slots_of_its_own() -> None:
    processes = Processes()
    run_beside([Share(process=processes)], CHECKED + ASK % 8, agent=texts)
    assert processes.most == 1 + AT_ONCE


def test_a_run_that_is_cancelled_leaves_no_check_behind() -> None:
    launcher, processes = Launcher(), Processes()

    async def main() -> None:
        options = RunOptions(agent=one, launcher=launcher)
        run = Run(options, "w.js", Share(process=processes))
        with trio.fail_after(DEADLINE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run.execute, BURNING + ASK % 8, {})
                await processes.until(3)
                nursery.cancel_scope.cancel()

    before = set(psutil.Process().children())
    trio.run(main)
    launcher.assert_nothing_left()
    assert set(psutil.Process().children()) <= before
    assert processes.now == 0


def test_plain_schemas_of_a_hundred_agents_take_no_process() -> None:
    processes = Processes()
    schema = "const schema = { type: 'array', items: { type: 'string' } };"
    run_beside([Share(process=processes)], schema + ASK % 100, agent=texts)
    assert processes.all == 1
