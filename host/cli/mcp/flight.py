"""A bound on what clients have asked and not been told yet, and an end for what nobody waits for any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import trio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

AT_ONCE = 32
BUSY: Final = -32050  # of those codes that JSON-RPC leaves to servers, and MCP has not taken
ASKER: Final = "flowcage.asker"  # member of the state of a request over HTTP


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


async def _while_wanted(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    asker: Asker | None = ctx.request.scope["state"].get(ASKER) if ctx.request is not None else None
    if asker is None:
        return await call_next(ctx)
    with asker.waits():
        return await call_next(ctx)
    raise MCPError(BUSY, "nobody waits for the answer any more")


class Asker:
    """Who waits for the answer to a request over HTTP."""

    def __init__(self) -> None:
        self._is_gone = False
        self._scopes: set[trio.CancelScope] = set()

    @contextmanager
    def waits(self) -> Iterator[None]:
        """A block that is left when nobody waits any more."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            if self._is_gone:
                scope.cancel()
            try:
                yield
            finally:
                self._scopes.discard(scope)

    def leave(self) -> None:
        """Nobody waits any more."""
        self._is_gone = True
        for scope in self._scopes:
            scope.cancel()
