"""Calls that must not spend more than their share, as others are at work beside them."""

from __future__ import annotations

import trio

from flowcage.host.agents.answer import Progress, tokens_of
from flowcage.host.agents.call import AgentCall
from flowcage.host.agents.compose.prices import are_loaded, price_of
from flowcage.host.agents.errors import ShareTooSmall


def require_share(call: AgentCall, who: str, *, usd: float | None, tokens: int | None) -> None:
    """Refuse a call that may cost more than its share, before anything is spent.

    Args:
        call: that may be held to a share.
        who: is asked, such as "agent 'mock'".
        usd, tokens: what it costs at most; None where there is no telling.

    Raises:
        ShareTooSmall: it is, and may.
    """
    if not call.is_held:
        return
    costs, left = call.cost_left, call.tokens_left
    too_dear = costs is not None and (usd is None or usd > costs)
    if too_dear or (left is not None and (tokens is None or tokens > left)):
        raise ShareTooSmall(
            f"{who} cannot be held to what the call may spend beside others",
            needs_usd=0.0 if costs is None else usd,
            needs_tokens=0 if left is None else tokens,
        )


class Limit:
    """Ends the work on a call when what is told of it goes beyond its share.

    Args:
        call: that may be held to one.

    Attributes:
        scope: around the work.
    """

    def __init__(self, call: AgentCall) -> None:
        self._call = call
        self._told = Progress()
        self.scope = trio.CancelScope()

    def tell(self, progress: Progress) -> None:
        """Take word of an agent at work, and pass it on."""
        self._call.tell(progress)
        told = {name: value for name, value in vars(progress).items() if value is not None}
        self._told = Progress(**{**vars(self._told), **told})
        if self._call.is_held and self._is_beyond():
            self.scope.cancel()

    def _is_beyond(self) -> bool:
        call, told = self._call, self._told
        cost = told.cost_usd
        if cost is None and told.usage is not None and told.model is not None and are_loaded():
            cost = price_of(told.usage, told.model)
        is_dear = call.cost_left is not None and cost is not None and cost > call.cost_left
        return is_dear or (call.tokens_left is not None and tokens_of(0, told.usage) > call.tokens_left)
