"""The routes of a server over one store, for any ASGI program on trio.

Those of `reading.py`, and:

GET  runs/ID/resume                ways to go on
POST runs/ID/cancel                {"reason"?}
POST runs/ID/answer                {"request"?, "value" | "typed" | "reject"}
POST runs/ID/resume/explain        {"way"}
POST runs/ID/resume                {"way"}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from flowcage.host.ui.api import acting
from flowcage.host.ui.api.answering import body, told
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.reading import RUN, Live, Read, Reading
from flowcage.host.ui.api.resuming import Resuming
from flowcage.host.ui.api.sse import Streams

_Act = Callable[[KeptRuns, str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Api:
    """The routes of one server.

    Args:
        runs: that are shown.
        resuming: goes on with them.
    """

    def __init__(self, runs: KeptRuns, resuming: Resuming) -> None:
        self._runs = runs
        self._resuming = resuming
        self.streams = Streams()

    def routes(self) -> list[BaseRoute]:
        """To be mounted somewhere."""
        reads: dict[str, Read] = {**Reading().table(), f"{RUN}/resume": self._ways}
        acts: dict[str, _Act] = {
            f"{RUN}/cancel": acting.cancel,
            f"{RUN}/answer": acting.answer,
            f"{RUN}/resume/explain": self._resuming.explain,
            f"{RUN}/resume": self._resuming.start,
        }
        return [
            *(Route(path, told(self._reading(read)), methods=["GET"]) for path, read in reads.items()),
            *(Route(path, told(self._acting(act)), methods=["POST"]) for path, act in acts.items()),
        ]

    def _reading(self, read: Read) -> Callable[[Request], Awaitable[Any]]:
        async def answered(request: Request) -> Any:
            value = await read(self._runs, request)
            return self.streams.of(value.events) if isinstance(value, Live) else value

        return answered

    def _acting(self, act: _Act) -> Callable[[Request], Awaitable[Any]]:
        async def answered(request: Request) -> Any:
            return await act(self._runs, request.path_params["run"], await body(request))

        return answered

    async def _ways(self, runs: KeptRuns, request: Request) -> Any:
        return await self._resuming.ways(runs, request.path_params["run"])
