"""What answers, failures and agents that are cut off have cost, by a table of prices."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from flowcage.agents import AgentAnswer, AgentCall, AgentError, AgentUsage, Progress, WrongAnswer, priced
from flowcage.host.agents.compose import prices
from flowcage.host.agents.compose.prices import price_of

MODEL = "claude-opus-4-5"
USAGE = AgentUsage(1_000, 200, 10_000, 400)
COST = (1_000 * 5 + 200 * 25 + 10_000 * 0.5 + 400 * 6.25) / 1e6


def ask(answer: Callable[[AgentCall], Awaitable[AgentAnswer]], **more: str) -> AgentAnswer:
    return trio.run(priced(answer, **more), AgentCall("1", "p", {}))


def answering(answer: AgentAnswer) -> Callable[[AgentCall], Awaitable[AgentAnswer]]:
    async def agent(_call: AgentCall) -> AgentAnswer:
        return answer

    return agent


def failing(error: AgentError) -> Callable[[AgentCall], Awaitable[AgentAnswer]]:
    async def agent(_call: AgentCall) -> AgentAnswer:
        raise error

    return agent


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (AgentAnswer("x", usage=USAGE, model=MODEL), COST),
        (AgentAnswer("x", usage=AgentUsage(), model=MODEL), 0.0),
        (AgentAnswer("x", usage=USAGE, model=MODEL, cost_usd=0.5), 0.5),
        (AgentAnswer("x", usage=USAGE, model=MODEL, cost_usd=0.0), 0.0),
        (AgentAnswer("x", usage=USAGE, model="no-such-model"), None),
        (AgentAnswer("x", usage=USAGE, model=""), None),
        (AgentAnswer("x", usage=USAGE), None),
        (AgentAnswer("x", tokens=5, model=MODEL), None),
        (AgentAnswer("x"), None),
    ],
)
def test_what_an_answer_costs(answer: AgentAnswer, cost: float | None) -> None:
    told = ask(answering(answer))
    assert told.cost_usd == (None if cost is None else pytest.approx(cost))
    assert (told.value, told.usage, told.model, told.tokens) == (
        answer.value,
        answer.usage,
        answer.model,
        answer.tokens,
    )


@pytest.mark.parametrize("kind", [AgentError, WrongAnswer])
def test_what_a_failure_costs(kind: type[AgentError]) -> None:
    error = kind("no", usage=USAGE, model=MODEL)
    with pytest.raises(kind, match="no") as caught:
        ask(failing(error))
    assert caught.value is error
    assert error.cost_usd == pytest.approx(COST)


def test_a_provider_decides_whose_model_it_is() -> None:
    answer = answering(AgentAnswer("x", usage=USAGE, model=MODEL))
    assert ask(answer, provider="anthropic").cost_usd == pytest.approx(COST)
    assert ask(answer, provider="openai").cost_usd is None
    assert ask(answer, provider="no such provider").cost_usd is None


async def _told_and(call: AgentCall) -> None:
    call.tell(Progress(usage=AgentUsage(1), model=MODEL))
    call.tell(Progress("going on", usage=USAGE))


def test_what_was_told_counts_where_the_answer_does_not_say() -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        await _told_and(call)
        return AgentAnswer("x")

    async def fails(call: AgentCall) -> AgentAnswer:
        await _told_and(call)
        raise AgentError("no")

    assert ask(agent).cost_usd == pytest.approx(COST)
    with pytest.raises(AgentError) as caught:
        ask(fails)
    assert caught.value.cost_usd == pytest.approx(COST)


def test_an_agent_that_is_cut_off_has_told_its_cost() -> None:
    told: list[Progress] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        await _told_and(call)
        await trio.sleep_forever()
        raise AssertionError

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(priced(agent), AgentCall("1", "p", {}, watcher=told.append))
            await trio.testing.wait_all_tasks_blocked(0)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert told[-1].cost_usd == pytest.approx(COST)


def test_what_an_agent_at_work_has_cost_is_told_when_there_is_a_table() -> None:
    prices._prices.cache_clear()
    told: list[Progress] = []
    priced_now = trio.Event()

    def hear(progress: Progress) -> None:
        told.append(progress)
        if progress.cost_usd is not None:
            priced_now.set()

    async def agent(call: AgentCall) -> AgentAnswer:
        await _told_and(call)
        await priced_now.wait()
        call.tell(Progress(usage=AgentUsage(1)))
        return AgentAnswer("x", usage=USAGE)

    async def main() -> AgentAnswer:
        with trio.fail_after(60):
            return await priced(agent)(AgentCall("1", "p", {}, watcher=hear))

    assert trio.run(main).cost_usd == pytest.approx(COST)  # what is told before the end is no last word
    costs = [each.cost_usd for each in told]
    assert costs == [None, None, pytest.approx(COST), pytest.approx(5 / 1e6)]


def test_what_ollama_bills_is_in_no_table() -> None:
    answer = answering(AgentAnswer("x", usage=USAGE, model="gpt-oss-120b"))
    assert ask(answer).cost_usd is not None
    assert ask(answer, provider="ollama").cost_usd is None


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-codex", "claude-sonnet-4-5-20250929", "gemini-2.5-pro"])
def test_models_by_the_names_that_providers_tell(model: str) -> None:
    price = price_of(AgentUsage(1_000_000), model)
    assert price is not None
    assert 0.1 < price < 50


def test_the_table_is_loaded_by_the_first_answer_without_a_cost() -> None:
    program = """
import sys, trio
from flowcage.agents import AgentAnswer, AgentCall, AgentUsage, priced
async def agent(call):
    return AgentAnswer("x", usage=AgentUsage(1), model="gpt-5", cost_usd=float(call.prompt) or None)
for cost in ("1", "0"):
    trio.run(priced(agent), AgentCall("1", cost, {}))
    print("genai_prices" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
