"""What agents cost, as ``flowcage show`` and ``flowcage ls`` tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowcage.host.cli.runs.looking.columns import one_line
from flowcage.host.run.core.agents.spending import Costs, ModelCosts

_MODELS = 20
_NAME = 60  # characters


def dollars(costs: Costs) -> str:
    """US dollars, with a mark where not all costs are known; "" for nothing."""
    if costs.unpriced:
        return f"${costs.cost_usd:.4f}+?" if costs.cost_usd else "$?"
    return f"${costs.cost_usd:.4f}" if costs.cost_usd else ""


def costs_text(costs: Costs) -> str:
    """Tokens and dollars, as the end of a line."""
    tokens = f", {costs.tokens:,} tokens" if costs.tokens else ""
    return tokens + (f", {told}" if (told := dollars(costs)) else "")


def detail_lines(costs: Costs, models: Mapping[str, ModelCosts]) -> Iterator[str]:
    """Tokens in detail, and a line for each model; nothing that was not told."""
    counts = {
        "read": costs.input,
        "written": costs.output,
        "from a cache": costs.cache_read,
        "into a cache": costs.cache_write,
    }
    if any(counts.values()):
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        yield f"tokens    {told}"
    for name, each in list(models.items())[:_MODELS]:
        answers = "1 answer" if each.answers == 1 else f"{each.answers:,} answers"
        yield f"model     {one_line(name, _NAME)}: {answers}{costs_text(each)}"
    if len(models) > _MODELS:
        yield f"model     … and {len(models) - _MODELS} more"
    if costs.unpriced:
        answers = "1 answer" if costs.unpriced == 1 else f"{costs.unpriced:,} answers"
        yield f"cost      what {answers} cost is not known"
