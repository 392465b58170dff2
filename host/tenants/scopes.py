"""The cancel scopes of all that goes on in a host, by which it ends them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from flowcage.host.outcome.verdict import HOST_SHUTDOWN


class Scopes:
    """Of one host."""

    def __init__(self) -> None:
        self._live: dict[trio.CancelScope, None] = {}
        self._all_gone = trio.Event()

    @contextmanager
    def hold(self, scope: trio.CancelScope) -> Iterator[None]:
        """Know a scope for the length of a block."""
        self._live[scope] = None
        try:
            yield
        finally:
            del self._live[scope]
            if not self._live:
                self._all_gone.set()

    def spawn(
        self, nursery: trio.Nursery, scope: trio.CancelScope, task: Callable[[], Awaitable[None]]
    ) -> None:
        """Start a task that uses a scope, which is known from this moment on."""
        hold = self.hold(scope)
        hold.__enter__()

        async def carry_out() -> None:
            try:
                await task()
            finally:
                hold.__exit__(None, None, None)

        nursery.start_soon(carry_out)

    async def end(self) -> None:
        """Cancel all, and wait until none is left."""
        for scope in self._live:
            scope.cancel(reason=HOST_SHUTDOWN)
        while self._live:
            await self._all_gone.wait()
            self._all_gone = trio.Event()
