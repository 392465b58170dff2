"""The part of HTTP that the load test needs, small so that it does not distort what is measured."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import trio


class Answer(NamedTuple):
    """A response: its status, and its body's JSON."""

    status: int
    body: Any


async def post_run(port: int, token: str, body: dict[str, Any]) -> Answer:
    """``POST /runs?wait``, on a connection of its own."""
    async with sent(port, token, "POST /runs?wait", body) as stream:
        return await _answer(stream)


async def get_statistics(port: int, token: str) -> Answer:
    """``GET /statistics``."""
    async with sent(port, token, "GET /statistics") as stream:
        return await _answer(stream)


@asynccontextmanager
async def sent(
    port: int, token: str, what: str, body: dict[str, Any] | None = None
) -> AsyncIterator[trio.SocketStream]:
    """A connection on which this request was sent and nothing has been read."""
    text = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    )
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(head.encode() + text)
        yield stream


async def _answer(stream: trio.SocketStream) -> Answer:
    received = b"".join([chunk async for chunk in stream])
    head, _, body = received.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ", 2)[1]), json.loads(body))
