"""Counts the requests of a program, whoever answers them."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowcage.host.metrics.requests import Requests


def counted(program: ASGIApp, requests: Requests) -> ASGIApp:
    """The same program, whose requests are counted."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await program(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        requests.begin()
        try:
            await program(scope, receive, note_status)
        finally:
            requests.end(status, time.monotonic() - began)

    return answer
