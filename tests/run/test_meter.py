"""Which words of an agent at work are kept for the next life of its host."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from flowcage.host.agents.answer import AgentAnswer, AgentUsage, Progress
from flowcage.host.run.asking.meter import Meter
from flowcage.host.run.core.inputs import Facts, Spent


def usd(*amounts: float) -> list[Progress]:
    return [Progress(cost_usd=each) for each in amounts]


def tokens(*amounts: int) -> list[Progress]:
    return [Progress(usage=AgentUsage(1, each)) for each in amounts]


def kept(words: Sequence[Progress]) -> list[tuple[int, float | None, Facts]]:
    found: list[tuple[int, float | None, Facts]] = []

    def keep(spent: Spent, facts: Facts) -> None:
        found.append((spent.tokens, spent.cost_usd, facts))

    async def main() -> None:
        meter = Meter(None, keep)
        for word in words:
            meter.tell(word)

    trio.run(main)
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([Progress("reading"), Progress(model="m", session_id="s")], []),
        (usd(0.5, 0.5), [0.5]),
        (usd(1.0, 1.04, 1.05, 1.06, 2.0), [1.0, 1.05, 2.0]),  # a 20th more
        (usd(0.00001, 0.00002, 0.0002), [0.00001, 0.0002]),
        (usd(2.0, 1.0, 2.0, 1.0, 2.0), [2.0]),
        (usd(0.0, 0.0, 0.5), [0.0, 0.5]),
    ],
)
def test_of_costs_those_that_grew(words: list[Progress], expected: list[float]) -> None:
    assert [cost for _, cost, _ in kept(words)] == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (tokens(0, 0, 1), [1, 2]),
        (tokens(99, 103, 104, 5, 104), [100, 105]),
        ([*tokens(99), *usd(0.0)], [100, 100]),  # that the cost is known, and none, is news
        ([*tokens(99), Progress("x", AgentUsage(1, 99, 50))], [100, 100]),  # those of the cache are, too
    ],
)
def test_of_tokens_those_that_grew(words: list[Progress], expected: list[int]) -> None:
    assert [count for count, _, _ in kept(words)] == expected


def test_a_word_is_kept_with_all_that_was_told_before() -> None:
    told = kept([Progress(model="m"), *tokens(4), *usd(0.25)])
    usage = {"input": 1, "output": 4, "cacheRead": 0, "cacheWrite": 0}
    assert told == [(5, None, {"usage": usage, "model": "m"}), (5, 0.25, {"usage": usage, "model": "m"})]


def test_an_agent_that_tells_at_any_rate_leaves_some_hundred_entries() -> None:
    words = [Progress(None, AgentUsage(0, each), each / 1000) for each in range(100_000)]
    assert 20 < len(kept(words)) < 300


def test_what_an_answer_has_cost_is_what_it_says() -> None:
    async def main() -> Spent:
        meter = Meter(None, lambda _spent, _facts: None)
        meter.tell(Progress(usage=AgentUsage(5, 5), cost_usd=2.0))
        meter.hear(AgentAnswer("x", usage=AgentUsage(1, 1), cost_usd=1.0))
        return meter.read().spent

    assert trio.run(main)[:2] == (2, 1.0)
