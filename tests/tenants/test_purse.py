"""What the agents of one tenant cost, over its runs in one host."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from flowcage.agents import AgentAnswer, AgentCall, AgentError, AgentUsage, Progress
from flowcage.events import Requested
from flowcage.host import Host, RunOptions, TenantLimits
from flowcage.host.tenants.purse import Purse

from ..host.hosts import in_trio

CALLS = """export default await Promise.all(
  args.map((prompt) => agent(prompt).catch((error) => error.message.split(':')[0])))"""
REFUSED = "agent() is refused"


class Paid:
    """An agent whose answers cost a quarter of a dollar each, or as a call's prompt says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left: list[float | None] = []
        self.at_work = self.most_at_work = 0

    async def answer(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        self.left.append(call.cost_left)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            for _ in range(20):  # others have their turn
                await trio.lowlevel.checkpoint()
        finally:
            self.at_work -= 1
        return AgentAnswer("ok", cost_usd=0.25)


@in_trio
async def test_what_all_runs_of_a_tenant_cost_is_held_to_its_ceiling() -> None:
    paid = Paid()
    options = RunOptions(agent=paid.answer)
    tenants = {"acme": TenantLimits(max_cost_usd=1.0)}
    async with Host(tenants=tenants, options=options) as host:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(lambda: host.run(CALLS, tenant="acme", args=["x"] * 5))
        assert len(paid.asked) == 4  # 15 calls, for a dollar
        late = await host.run(CALLS, tenant="acme", args=["late"])
        assert late.result == [REFUSED]
        other = await host.run(CALLS, tenant="other", args=["free"])
        assert other.result == ["ok"]
    assert paid.left[0] == 1.0
    assert paid.left[-1] is None


@in_trio
async def test_a_run_is_refused_by_its_own_ceiling_and_by_its_tenants() -> None:
    paid = Paid()
    async with Host(tenants={"acme": TenantLimits(max_cost_usd=10.0)}) as host:
        options = RunOptions(agent=paid.answer, max_cost_usd=0.5)
        outcome = await host.run(CALLS, tenant="acme", args=["x"] * 4, options=options)
    assert outcome.result == ["ok", "ok", REFUSED, REFUSED]
    assert paid.left == [0.5, 0.25]


@pytest.mark.parametrize("most", [0, -1, float("nan"), float("inf")])
def test_a_ceiling_is_an_amount(most: float) -> None:
    with pytest.raises(ValueError, match="max_cost_usd must be above 0"):
        TenantLimits(max_cost_usd=most)


def call(prompt: str = "p", told: Callable[[Progress], None] | None = None) -> AgentCall:
    return AgentCall("1", prompt, {}, watcher=told)


@in_trio
async def test_calls_wait_for_those_at_work_and_begin_in_their_order() -> None:
    paid = Paid()
    guarded = Purse(1.0).guarded(paid.answer)
    done: list[str] = []

    async def one(prompt: str) -> None:
        try:
            await guarded(call(prompt))
        except AgentError as error:
            done.append(str(error))

    async with trio.open_nursery() as nursery:
        for prompt in "abcdef":
            nursery.start_soon(one, prompt)
            await trio.testing.wait_all_tasks_blocked(0)
    assert paid.asked == ["a", "b", "c", "d"]
    assert done == ["agent() is refused: $1.0000 of the tenant's ceiling of $1 are spent"] * 2


@in_trio
async def test_a_call_that_is_cancelled_while_it_waits_gives_its_place_on() -> None:
    began, go = trio.Event(), trio.Event()

    async def slow(asked: AgentCall) -> AgentAnswer:
        began.set()
        await go.wait()
        return AgentAnswer(asked.prompt, cost_usd=0.25)

    purse, waits = Purse(1.0), trio.CancelScope()
    guarded = purse.guarded(slow)

    async def second() -> None:
        with waits:
            await guarded(call("second"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(guarded, call("first"))
        await began.wait()
        nursery.start_soon(second)
        await trio.testing.wait_all_tasks_blocked(0)
        waits.cancel()
        await trio.testing.wait_all_tasks_blocked(0)
        go.set()
    assert (await guarded(call("third"))).value == "third"
    assert purse.spent == 0.5


@in_trio
async def test_what_was_told_before_the_end_is_spent() -> None:
    async def cut_off(asked: AgentCall) -> AgentAnswer:
        asked.tell(Progress(cost_usd=0.75))
        await trio.sleep_forever()
        raise AssertionError

    async def fails(_call: AgentCall) -> AgentAnswer:
        raise AgentError("no", cost_usd=0.5)

    told: list[Progress] = []
    purse = Purse(10.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(purse.guarded(cut_off), call(told=told.append))
        await trio.testing.wait_all_tasks_blocked(0)
        nursery.cancel_scope.cancel()
    with pytest.raises(AgentError, match="no"):
        await purse.guarded(fails)(call())
    assert told == [Progress(cost_usd=0.75)]
    assert purse.spent == 1.25


@in_trio
async def test_after_a_cost_that_nobody_knows_nothing_is_asked() -> None:
    async def unpriced(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer("ok", usage=AgentUsage(1, 1), model="m")

    guarded = Purse(10.0).guarded(unpriced)
    await guarded(call())
    with pytest.raises(AgentError, match=r"is not known .the model is 'm'., so the tenant's ceiling of .10"):
        await guarded(call())


@in_trio
async def test_live_runs_of_the_tenant_are_held_to_it_too() -> None:
    host = Host(tenants={"acme": TenantLimits(max_cost_usd=0.5)})
    async with host, host.open_run(CALLS, tenant="acme", args=["a", "b", "c"]) as run:
        async for event in run:
            if isinstance(event, Requested):
                run.answer(event.request.id, "ok", cost_usd=0.25)
        assert (await run.outcome()).result == ["ok", "ok", REFUSED]
