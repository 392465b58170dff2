"""Turns: who is next, what waits for what, and that a waiter that gives up costs nobody anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from flowcage.host.outcome.errors import HostClosing, Overloaded
from flowcage.host.outcome.quota import Quota
from flowcage.host.tenants.memory_budget import MemoryBudget
from flowcage.host.tenants.scheduler import Scheduler, Turn
from flowcage.host.tenants.tenant import TenantLimits
from flowcage.protocol.limits import MIB

MANY = TenantLimits(max_runs=1_000, max_queued=10_000, runs_per_minute=1_000_000)
NOBODY: Mapping[str, TenantLimits] = MappingProxyType({})


def on_a_mock_clock(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Time passes only when all tasks wait for it; a test that got stuck fails at once."""

    @wraps(test)
    def wrapper(**arguments: Any) -> None:
        async def bounded() -> None:
            with trio.fail_after(1_000):
                await test(**arguments)

        trio.run(bounded, clock=MockClock(autojump_threshold=0))

    return wrapper


class Memory:
    """A machine whose figures a test sets."""

    def __init__(self, budget_mib: int = 100_000) -> None:
        self.available = 1_000_000 * MIB
        self.private: dict[int, int] = {}
        self.budget = MemoryBudget(
            budget_mib * MIB,
            MIB,
            4 * MIB,
            available=lambda: self.available,
            private=lambda pid: self.private.get(pid, 0),
        )


def scheduler(
    max_runs: int = 1,
    tenants: Mapping[str, TenantLimits] = NOBODY,
    memory: Memory | None = None,
    **limits: Any,
) -> Scheduler:
    given = TenantLimits(**limits) if limits else MANY
    return Scheduler((memory or Memory()).budget, tenants, given, max_runs, max_queued=100_000)


class Runs:
    """Runs that hold their turns until told to end."""

    def __init__(self, scheduler: Scheduler, nursery: trio.Nursery) -> None:
        self.scheduler = scheduler
        self.nursery = nursery
        self.started: list[str] = []
        self.turns: dict[str, Turn] = {}
        self.failed: dict[str, Exception] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        self._ends: dict[str, trio.Event] = {}

    def start(self, name: str, tenant: str) -> None:
        self._scopes[name], self._ends[name] = trio.CancelScope(), trio.Event()
        self.nursery.start_soon(self._run, name, tenant)

    async def begin(self, name: str, tenant: str) -> None:
        """Start it, and return when everything has come to rest."""
        self.start(name, tenant)
        await wait_all_tasks_blocked()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await wait_all_tasks_blocked()

    async def cancel(self, name: str) -> None:
        self._scopes[name].cancel()
        await wait_all_tasks_blocked()

    async def _run(self, name: str, tenant: str) -> None:
        with self._scopes[name]:
            try:
                async with self.scheduler.turn(tenant) as turn:
                    self.started.append(name)
                    self.turns[name] = turn
                    await self._ends[name].wait()
            except (Overloaded, HostClosing) as error:
                self.failed[name] = error


def counts(scheduler: Scheduler, tenant: str | None = None) -> tuple[int, int]:
    tally = scheduler.statistics().tally if tenant is None else scheduler.tenant_statistics(tenant)
    return tally.running, tally.queued


@on_a_mock_clock
async def test_a_tenant_at_its_cap_blocks_nobody_else() -> None:
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(3, {"a": TenantLimits(max_runs=1)}), nursery)
        for name in ("a1", "a2", "a3"):
            await runs.begin(name, "a")
        await runs.begin("b1", "b")
        assert runs.started == ["a1", "b1"]
        await runs.end("a1")
        assert runs.started == ["a1", "b1", "a2"]
        nursery.cancel_scope.cancel()
    assert counts(runs.scheduler) == (0, 0)


@on_a_mock_clock
async def test_overload_is_told_at_once_before_any_checkpoint() -> None:
    waiting = scheduler(max_queued=0)
    async with waiting.turn("a"):
        with trio.CancelScope() as scope:
            scope.cancel()  # any checkpoint would end the block without the error
            with pytest.raises(Overloaded) as caught:
                async with waiting.turn("a"):
                    pass
    assert caught.value.quota is Quota.QUEUED_RUNS
    assert not scope.cancelled_caught


@on_a_mock_clock
async def test_a_waiter_that_is_cancelled_leaves_its_place() -> None:
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(max_runs=1), nursery)
        for name in ("1", "2", "3"):
            await runs.begin(name, "a")
        await runs.cancel("2")
        assert counts(runs.scheduler, "a") == (1, 1)
        await runs.end("1")
        assert runs.started == ["1", "3"]
        await runs.end("3")
    assert counts(runs.scheduler) == (0, 0)
    assert not runs.scheduler._waiting


@on_a_mock_clock
async def test_a_waiter_cancelled_before_its_first_checkpoint_gives_its_slot_back() -> None:
    slots = scheduler(runs_per_minute=1)
    with trio.CancelScope() as scope:
        scope.cancel()
        async with slots.turn("a"):
            raise AssertionError("the cancellation should have come first")
    assert scope.cancelled_caught
    assert slots.tenant_statistics("a").withdrawn == 1
    async with slots.turn("a"):  # its slot, and its run of this minute
        assert counts(slots) == (1, 0)


@on_a_mock_clock
async def test_a_waiter_cancelled_in_the_moment_of_its_turn_still_gives_the_slot_on() -> None:
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(max_runs=1), nursery)
        for name in ("1", "2", "3"):
            await runs.begin(name, "a")
        runs._ends["1"].set()
        while counts(runs.scheduler, "a") != (1, 1):  # until "2" has the slot and has not run yet
            await trio.lowlevel.checkpoint()
        await runs.cancel("2")
        assert runs.started[-1] == "3"
        await runs.end("3")
    assert counts(runs.scheduler) == (0, 0)


@on_a_mock_clock
async def test_a_run_that_raises_gives_its_slot_back() -> None:
    slots = scheduler()
    with pytest.raises(RuntimeError, match="of the run's own"):
        async with slots.turn("a"):
            raise RuntimeError("of the run's own")
    assert counts(slots) == (0, 0)
    assert slots.statistics().charged_bytes == 0


@on_a_mock_clock
async def test_a_tenants_limits_come_with_the_turn() -> None:
    slots = scheduler(tenants={"a": TenantLimits(max_agents=3)})
    async with slots.turn("a") as turn:
        assert (turn.tenant, turn.limits.max_agents, turn.waited_seconds) == ("a", 3, 0.0)


@on_a_mock_clock
async def test_waiting_and_cpu_are_on_record() -> None:
    slots = scheduler()

    async def work() -> None:
        async with slots.turn("a") as turn:
            await trio.sleep(5)
        turn.charge_cpu(1.5)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(work)
    tally = slots.statistics().tally
    assert (tally.admitted, tally.cpu_seconds) == (3, 4.5)
    assert tally.waited_seconds == pytest.approx(5 + 10)
    assert slots.tenant_statistics("a") == tally
    assert slots.tenants() == ("a",)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
@on_a_mock_clock
async def test_cpu_that_cannot_be_is_refused(seconds: float) -> None:
    async with scheduler().turn("a") as turn:
        with pytest.raises(ValueError, match="finite and 0 or more"):
            turn.charge_cpu(seconds)


@on_a_mock_clock
async def test_runs_held_for_cpu_go_on_by_themselves() -> None:
    slots = scheduler(max_runs=1, cpu_seconds_per_minute=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.run)
        runs = Runs(slots, nursery)
        await runs.begin("1", "a")
        await runs.begin("2", "a")
        runs.turns["1"].charge_cpu(70.0)
        await runs.end("1")
        assert runs.started == ["1"]
        await trio.sleep(11.5)  # ten seconds of debt, and the next look
        assert runs.started == ["1", "2"]
        nursery.cancel_scope.cancel()


@on_a_mock_clock
async def test_a_hold_that_has_ended_lets_the_waiter_go_before_a_newcomer() -> None:
    tenants = {"b": TenantLimits(max_queued=0), "a": TenantLimits(cpu_seconds_per_minute=60.0)}
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(max_runs=1, tenants=tenants), nursery)
        await runs.begin("a1", "a")
        await runs.begin("a2", "a")
        runs.turns["a1"].charge_cpu(70.0)
        await runs.end("a1")
        await trio.sleep(11)
        await runs.begin("b1", "b")
        assert runs.started == ["a1", "a2"]
        assert isinstance(runs.failed["b1"], Overloaded)
        nursery.cancel_scope.cancel()


@on_a_mock_clock
async def test_runs_wait_for_memory_and_start_when_one_has_ended() -> None:
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(max_runs=10, memory=Memory(budget_mib=8)), nursery)
        for name in ("1", "2", "3"):
            await runs.begin(name, "a")
        assert runs.started == ["1", "2"]
        await runs.end("1")
        assert runs.started == ["1", "2", "3"]
        nursery.cancel_scope.cancel()


@on_a_mock_clock
async def test_runs_wait_for_memory_and_start_when_a_measurement_finds_some() -> None:
    memory = Memory(budget_mib=20)
    slots = scheduler(max_runs=10, memory=memory)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.run)
        runs = Runs(slots, nursery)
        await runs.begin("1", "a")
        with runs.turns["1"].process(7):
            memory.private[7] = 18 * MIB
            await trio.sleep(1.5)
            assert slots.statistics().charged_bytes == 18 * MIB
            await runs.begin("2", "a")
            assert runs.started == ["1"]
            memory.private[7] = 5 * MIB
            await trio.sleep(1.5)
            assert runs.started == ["1", "2"]
        memory.available = 2 * MIB
        await trio.sleep(1.5)
        await runs.begin("3", "a")
        memory.available = 100 * MIB
        assert runs.started == ["1", "2"]
        await trio.sleep(1.5)
        assert runs.started == ["1", "2", "3"]
        nursery.cancel_scope.cancel()


@on_a_mock_clock
async def test_a_full_queue_before_full_memory_is_refused_for_memory() -> None:
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(max_runs=10, memory=Memory(budget_mib=4), max_queued=1), nursery)
        for name in ("1", "2", "3"):
            await runs.begin(name, "a")
        refused = runs.failed["3"]
        assert isinstance(refused, Overloaded)
        assert refused.quota is Quota.MEMORY
        nursery.cancel_scope.cancel()


@on_a_mock_clock
async def test_closing_refuses_who_waits_and_whoever_comes_and_leaves_who_runs() -> None:
    async with trio.open_nursery() as nursery:
        runs = Runs(scheduler(max_runs=1), nursery)
        for name in ("1", "2", "3"):
            await runs.begin(name, "a")
        runs.scheduler.close()
        await runs.begin("4", "b")
        assert set(runs.failed) == {"2", "3", "4"}
        assert all(isinstance(error, HostClosing) for error in runs.failed.values())
        assert counts(runs.scheduler) == (1, 0)
        await runs.end("1")
    assert counts(runs.scheduler) == (0, 0)


@on_a_mock_clock
async def test_ten_thousand_waiters_come_and_go_and_leave_nothing() -> None:
    slots = scheduler(max_runs=2)
    seen: Counter[str] = Counter()

    async def work(tenant: str) -> None:
        async with slots.turn(tenant):
            seen[tenant] += 1
            assert sum(counts(slots)[:1]) <= 2
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(9_990):
            nursery.start_soon(work, "flood")
        for _ in range(10):
            nursery.start_soon(work, "other")
    assert seen == {"flood": 9_990, "other": 10}
    assert counts(slots) == (0, 0)
    assert slots.statistics().charged_bytes == 0


@pytest.mark.parametrize(("name", "value"), [("max_runs", 0), ("max_queued", -1), ("max_runs", True)])
def test_an_absurd_size_of_the_host_is_refused_by_its_name(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Scheduler(Memory().budget, **{name: value})  # type: ignore[arg-type]
