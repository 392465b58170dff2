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
        self._is_over = False

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
        """Start a task of the host's that uses a scope, which is known from this moment on.

        What cancels the host is no wish to cancel its runs: `run` says in its place that the host closes.
        """
        scope.shield = True
        hold = self.hold(scope)
        hold.__enter__()
        if self._is_over:
            scope.cancel(reason=HOST_SHUTDOWN)

        async def carry_out() -> None:
            try:
                await task()
            finally:
                hold.__exit__(None, None, None)

        nursery.start_soon(carry_out)

    async def run(self) -> None:
        """Wait to be cancelled, and cancel the host's own tasks then, as at its end."""
        try:
            await trio.sleep_forever()
        finally:
            self._is_over = True
            for scope in self._live:
                if scope.shield:
                    scope.cancel(reason=HOST_SHUTDOWN)

    async def end(self) -> None:
        """Cancel all, and wait until none is left."""
        for scope in self._live:
            scope.cancel(reason=HOST_SHUTDOWN)
        while self._live:
            await self._all_gone.wait()
            self._all_gone = trio.Event()
