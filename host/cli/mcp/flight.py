"""A bound on what clients have asked and not been told yet, and an end for what nobody waits for any more."""

from __future__ import annotations

from typing import Any, Final

import trio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

AT_ONCE = 32
BUSY: Final = -32050  # of those codes that JSON-RPC leaves to servers, and MCP has not taken
# Member of a request's state, over HTTP: set when its connection has no use for the answer any more.
GONE: Final = "flowcage.gone"


class Flight:
    """The requests of one server, of all clients together.

    Args:
        at_once: so many; a further one is refused.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._open = 0

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answer a request, as middleware of the SDK's server."""
        if ctx.request_id is None:
            return await call_next(ctx)
        if self._open >= self._at_once:
            raise MCPError(BUSY, f"{self._at_once} requests are at work already; wait until one has ended")
        self._open += 1
        try:
            return await _while_wanted(ctx, call_next)
        finally:
            self._open -= 1


async def _while_wanted(context: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    gone = context.request.scope["state"].get(GONE) if context.request is not None else None
    if gone is None:
        return await call_next(context)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_after, gone, scope)
            try:
                return await call_next(context)
            finally:
                nursery.cancel_scope.cancel()
    raise MCPError(BUSY, "nobody waits for the answer any more")


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
