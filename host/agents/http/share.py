"""How long an answer may be, so that its call cannot cost more than its share."""

from __future__ import annotations

import math

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.compose.prices import load, price_of
from flowcage.host.agents.held import require_share
from flowcage.host.agents.http.question import SURE_TOKENS, Question

# What providers add to a request, such as the instructions for a form.
_ADDED_TOKENS = 2_048
# Where the agent has no limit of its own. The larger models can write as much.
MOST_TOKENS = 16_384


async def held(question: Question, asked: int, *, costs_nothing: bool) -> Question:
    """The question with a limit of its answer that keeps its call within its share.

    A token is a byte at least, so the request cannot have more than it has bytes.

    Args:
        question: of a call that is held to a share.
        asked: bytes of the request.
        costs_nothing: whether answers are free.

    Raises:
        ShareTooSmall: not even an answer of usual length would be within it.
    """
    call, most = question.call, question.max_tokens or MOST_TOKENS
    who = f"agent {question.agent!r}"
    read, least = asked + _ADDED_TOKENS, min(SURE_TOKENS, most)
    price = None if costs_nothing or call.cost_left is None else await _price(question, read, least)
    if call.session is not None:  # nobody here knows how long the conversation is
        require_share(call, who, usd=0.0 if costs_nothing else None, tokens=None)
    usd = 0.0 if costs_nothing or call.cost_left is None else _cost(price, least)
    require_share(call, who, usd=usd, tokens=read + least)
    return question._replace(held=min(most, *_limits(call, read, price)))


def _limits(call: AgentCall, read: int, price: tuple[float, float] | None) -> list[int]:
    limits = [] if call.tokens_left is None else [call.tokens_left - read]
    if call.cost_left is not None and price is not None and price[1] > 0:
        limits.append(math.floor((call.cost_left - price[0]) / price[1]))
    return limits or [MOST_TOKENS * 1024]


def _cost(price: tuple[float, float] | None, written: int) -> float | None:
    return None if price is None else price[0] + written * price[1]


async def _price(question: Question, read: int, written: int) -> tuple[float, float] | None:
    """US dollars of the request, at most, and of each token of its answer; None where they are not known."""
    await load()
    model, agent = question.model, question.agent
    anew = price_of(AgentUsage(input=read), model, agent)
    kept = price_of(AgentUsage(cache_write=read), model, agent)
    both = price_of(AgentUsage(input=read, output=written), model, agent)
    if anew is None or kept is None or both is None:
        return None
    return max(anew, kept), (both - anew) / written
