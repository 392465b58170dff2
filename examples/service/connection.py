"""Requests that own tasks: what a request starts ends with it, also when the client leaves."""

from __future__ import annotations

from typing import Any

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart.asgi import ASGIHTTPConnection
from quart.wrappers import Request
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers import TrioRequest


class OwningRequest(TrioRequest):
    """A request.

    Attributes:
        nursery: its tasks are cancelled when the client leaves, and at the end of the response at the latest.
    """

    nursery: trio.Nursery


class _Connection(TrioASGIHTTPConnection):
    _answered = False

    async def handle_request(  # type: ignore[override]  # as in quart-trio
        self, nursery: trio.Nursery, request: Request, send: ASGISendCallable
    ) -> None:
        async def watched(message: Any) -> None:
            self._answered = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        assert isinstance(request, OwningRequest)
        request.nursery = nursery
        await super().handle_request(nursery, request, watched)

    async def handle_messages(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, receive: ASGIReceiveCallable
    ) -> None:
        await ASGIHTTPConnection.handle_messages(self, request, receive)
        # The server says "disconnect" after a response too, in the middle of closing the connection.
        # quart-trio 0.12 would cancel that, and clients that wait for the end would wait for ever.
        if not self._answered:
            nursery.cancel_scope.cancel()


class OwningApp(QuartTrio):
    """An application whose requests are `OwningRequest`."""

    asgi_http_class = _Connection
    request_class = OwningRequest
