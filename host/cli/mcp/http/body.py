"""The body of a message over HTTP, within the bounds of all JSON here before the SDK parses it."""

from __future__ import annotations

import trio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowcage.host.cli.mcp.stdio import MESSAGE_BYTES
from flowcage.host.ui.api.answering import BODY_SECONDS
from flowcage.host.ui.door.said import say
from flowcage.protocol import strictjson


def bounded(app: ASGIApp) -> ASGIApp:
    """The same program, which is asked for what has a bounded body only."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with trio.move_on_after(BODY_SECONDS) as taking:
            body = await _read(receive)
        if taking.cancelled_caught:
            await say(send, 408, f"the body took more than {BODY_SECONDS:g} seconds\n".encode())
            return
        if body is None:
            return
        if len(body) > MESSAGE_BYTES:
            await say(send, 413, f"at most {MESSAGE_BYTES:,} bytes\n".encode())
            return
        try:
            strictjson.check_structure(body)
        except strictjson.StructureError as error:
            await say(send, 400, f"{error}\n".encode())
            return
        await app(scope, _again(body, receive), send)

    return answer


async def _read(receive: Receive) -> bytes | None:
    """A body, or a beginning of it that is too long already; None where the client has gone."""
    body = bytearray()
    while len(body) <= MESSAGE_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read, and then what comes after it."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again
