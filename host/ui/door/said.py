"""What a door says: to a browser with every answer, to those who are not let in, and about a fault."""

from __future__ import annotations

import logging
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOGGER = logging.getLogger("flowcage.ui")
# Member of a request's state: what to call once it was let in, where the server wants to know.
LET_IN: Final = "let_in"
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "cache-control": "no-store",
        "content-security-policy": CONTENT_POLICY,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
    }.items()
)


async def pass_on(app: ASGIApp, scope: Scope, receive: Receive, send: Send, fault: bytes) -> None:
    """Have a program answer a request that was let in.

    Args:
        app: answers.
        scope, receive, send: of the request.
        fault: what is said where it cannot.
    """
    if (let_in := scope.get("state", {}).pop(LET_IN, None)) is not None:
        let_in()
    begun = False

    async def noting(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, noting)
    except Exception as error:
        # Without the request's path and headers, which are not for a log.
        _LOGGER.exception("a request could not be answered: %s", type(error).__name__)
        if not begun:
            await say(send, 500, fault)


def hardened(send: Send) -> Send:
    """`send` that tells the browser with each answer what it may do with it."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in _HEADERS}
            own = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*own, *_HEADERS]}
        await send(message)

    return hardened


async def say(
    send: Send, status: int, text: bytes, *more: tuple[bytes, bytes], kind: bytes = b"text/plain"
) -> None:
    """A short answer."""
    headers = [
        (b"content-type", kind + b"; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
