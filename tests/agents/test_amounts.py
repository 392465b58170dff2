"""What agents may say that something has cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from flowcage.agents import AgentAnswer, AgentError, Progress
from flowcage.host.agents.programs.claude.stream import ClaudeStream

NO_AMOUNTS: list[Any] = [math.nan, math.inf, -0.01, -5, 1e16, 10**400, "1", True]
WORDS: list[Callable[..., object]] = [partial(AgentAnswer, "x"), partial(AgentError, "x"), Progress]


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=lambda amount: repr(amount)[:9])
@pytest.mark.parametrize("word", WORDS)
def test_what_is_no_amount_is_refused_wherever_it_is_told(word: Callable[..., object], amount: Any) -> None:
    """It would be taken off a ceiling, or make a sum that no JSON has."""
    with pytest.raises(ValueError, match="cost_usd must be a number from 0 to 9"):
        word(cost_usd=amount)


@pytest.mark.parametrize("amount", [None, 0, 0.25, 2**53])
@pytest.mark.parametrize("word", WORDS)
def test_an_amount_is_taken(word: Callable[..., Any], amount: float | None) -> None:
    assert word(cost_usd=amount).cost_usd == amount


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=lambda amount: repr(amount)[:9])
def test_a_program_that_tells_no_amount_has_told_none(amount: Any) -> None:
    stream = ClaudeStream(lambda _progress: None)
    stream.take({"type": "result", "total_cost_usd": amount})
    assert stream.cost_usd is None
