"""Requests that own tasks: those that a request starts end with it, also when the client disconnects."""

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
        nursery: its tasks are cancelled when the client disconnects, or else at the end of the response.
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
        # The server sends "disconnect" after a response too, while it closes the connection. quart-trio 0.12
        # would cancel that, and a client that waits for the end of the connection would hang.
        if not self._answered:
            nursery.cancel_scope.cancel()


class OwningApp(QuartTrio):
    """An application whose requests are `OwningRequest`."""

    asgi_http_class = _Connection
    request_class = OwningRequest
