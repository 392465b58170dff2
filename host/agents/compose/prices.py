"""What tokens of a model cost, by the table of genai-prices: it comes with that, and nothing is fetched."""

from __future__ import annotations

from functools import cache
from typing import Any

import trio

from flowcage.host.agents.answer import AgentUsage


def price_of(usage: AgentUsage, model: str, provider: str | None = None) -> float | None:
    """US dollars; None for a model that the table does not have.

    The first call loads the table, which takes 0.2 s of CPU and 25 MiB, unless `load` has done so.

    Args:
        usage: as its provider counted it.
        model: as its provider names it.
        provider: as genai-prices names it, such as ``anthropic``; None to find it by the model.
    """
    prices = _prices()
    tokens = {
        "input_tokens": usage.input + usage.cache_read + usage.cache_write,  # there it has those of the cache
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
    }
    counts = {name: count for name, count in tokens.items() if count}
    try:
        found = prices.calc_price(prices.Usage(**counts), model, provider_id=provider)
    except (LookupError, ValueError):
        return None
    return float(found.total_price)


def are_loaded() -> bool:
    """Whether the table is there."""
    return _prices.cache_info().currsize > 0


async def load() -> None:
    """Load the table beside the event loop, if it is not there. No cancellation stops it."""
    if not are_loaded():
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_prices)


@cache
def _prices() -> Any:
    import genai_prices

    return genai_prices
