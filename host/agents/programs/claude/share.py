"""What the program may spend on a call that is held to a share: it stops between two requests to its model.

So it may go beyond what it is told by one request, whose size the program bounds, and is told so much less.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.compose.prices import load, price_of
from flowcage.host.agents.held import require_share

_CONTEXT_TOKENS = 200_000
_OUTPUT_TOKENS = 32_000
_OUTPUT_VARIABLE = "CLAUDE_CODE_MAX_OUTPUT_TOKENS"
# One request at a time, of that size.
_VARIABLES = {
    "CLAUDE_CODE_DISABLE_1M_CONTEXT": "1",
    "CLAUDE_CODE_MAX_TOOL_USE_CONCURRENCY": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
}
# Short names, as the table of prices has the dearest model of each.
_MODELS = {"opus": "claude-opus-4-5", "sonnet": "claude-sonnet-4-5", "haiku": "claude-haiku-4-5"}
# What goes into a cache for an hour costs twice as much as what is read.
_DEAREST_READING = 2
# Of a request's worth, beside that request.
_WORK_PART = 4


async def held(call: AgentCall, agent: str, model: str | None) -> AgentCall:
    """The call with what the program may be told to spend, so that it keeps to its share.

    Args:
        call: that is held to a share.
        agent: its name.
        model: that answers; None where it is not known.

    Raises:
        ShareTooSmall: the share is less than a request may cost, or nobody knows what one costs.
    """
    tokens = _CONTEXT_TOKENS + _output_tokens(os.environ)
    usd = None if call.cost_left is None else await _dearest_request(model)
    least = None if usd is None else usd + usd / _WORK_PART
    require_share(call, f"agent {agent!r}", usd=least, tokens=tokens + tokens // _WORK_PART)
    cost_left = None if call.cost_left is None or usd is None else call.cost_left - usd
    tokens_left = None if call.tokens_left is None else call.tokens_left - tokens
    return replace(call, cost_left=cost_left, tokens_left=tokens_left)


def variables() -> dict[str, str]:
    """What holds the program to requests of that size."""
    return {**_VARIABLES, _OUTPUT_VARIABLE: str(_output_tokens(os.environ))}


def _output_tokens(environment: Mapping[str, str]) -> int:
    told = environment.get(_OUTPUT_VARIABLE, "")
    return int(told) if told.isascii() and told.isdigit() and 0 < int(told) < 10**9 else _OUTPUT_TOKENS


async def _dearest_request(model: str | None) -> float | None:
    if model is None:
        return None
    await load()
    name = _MODELS.get(model, model)
    read = price_of(AgentUsage(input=_CONTEXT_TOKENS), name, "anthropic")
    written = price_of(AgentUsage(output=_output_tokens(os.environ)), name, "anthropic")
    return None if read is None or written is None else _DEAREST_READING * read + written
