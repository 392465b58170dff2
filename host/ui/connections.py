"""Connections: hypercorn reads and writes each; what is wrong with one ends that one alone.

Any user of the machine may connect. So a connection has a few seconds for a request that is let in, and
where too many have made none the oldest gives way: nobody keeps the browser of the server's owner out.
"""

from __future__ import annotations

import logging
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from flowcage.host.ui.door.said import LET_IN

STRANGERS = 100
STRANGER_SECONDS = 10.0
_LOGGER = logging.getLogger("flowcage.ui")


class Connections:
    """Of one server.

    Args:
        app: that answers their requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        program: Any = app  # hypercorn has types of its own for what starlette has, too
        self._program = ASGIWrapper(program)
        self._config = _config()
        self._context = WorkerContext(None)
        self._strangers: dict[trio.CancelScope, None] = {}  # the oldest first

    async def answer(self, stream: Any) -> None:
        """Answer the requests of one `trio.SocketStream`, until it ends."""
        scope = trio.CancelScope(deadline=trio.current_time() + STRANGER_SECONDS)
        try:
            with scope:
                self._begin(scope)
                state = ConnectionState({LET_IN: lambda: self._let_in(scope)})
                await TCPServer(self._program, self._config, self._context, state, stream)
        except* Exception as group:  # hypercorn raises for much that should not be on the wire
            _LOGGER.debug("a connection was ended: %s", group.exceptions[0])
        finally:
            self._strangers.pop(scope, None)

    def _begin(self, scope: trio.CancelScope) -> None:
        self._strangers[scope] = None
        if len(self._strangers) > STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.cancel()

    def _let_in(self, scope: trio.CancelScope) -> None:
        if self._strangers.pop(scope, self) is None:
            scope.deadline = float("inf")


def _config() -> Config:
    config = Config()
    config.accesslog = config.errorlog = None  # paths and headers are not for a log
    config.include_server_header = False
    return config
