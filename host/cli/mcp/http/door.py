"""The door over HTTP: it lets in whoever has the token and asks by a known name, but no page of a browser."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from flowcage.host.cli.mcp.flight import ASKER, Asker
from flowcage.host.cli.mcp.http.body import bounded
from flowcage.host.ui.door.asked import Asked
from flowcage.host.ui.door.keys import Keys
from flowcage.host.ui.door.said import hardened, pass_on, say

PATH: Final = "/mcp"
AT_ONCE = 64  # messages that are being read or answered, with what they hold
_CLOSED = (
    b"not allowed: send Authorization: Bearer TOKEN, with the token in the file that flowcage mcp has told\n"
)
_FAULT = b"internal error of flowcage mcp\n"
_BEARER = (b"www-authenticate", b"Bearer")


class TokenDoor:
    """In front of an ASGI program, which is at `PATH`.

    Args:
        app: is asked for those who are let in.
        keys: have the token.
        names: values of the header Host that are answered.
    """

    def __init__(self, app: ASGIApp, keys: Keys, names: frozenset[str]) -> None:
        self._app = app
        self._keys = keys
        self._names = names
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        asked, send = Asked(scope), hardened(send)
        if asked.host not in self._names:
            await say(send, 421, b"unknown name of this host\n")
        elif not self._keys.is_token(asked.bearer):
            await say(send, 401, _CLOSED, _BEARER)
        elif asked.origin not in ("", f"http://{asked.host}"):
            await say(send, 403, b"asked by another page\n")
        elif scope["path"] != PATH:
            await say(send, 404, f"not found: messages go to {PATH}\n".encode())
        elif scope["method"] == "POST":
            await self._post(scope, receive, send)
        else:
            await pass_on(self._app, scope, receive, send, _FAULT)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= AT_ONCE:
            await say(send, 503, f"{AT_ONCE} messages are at work already\n".encode(), (b"retry-after", b"1"))
            return
        asker = scope.setdefault("state", {})[ASKER] = Asker()
        self._open += 1
        try:
            await pass_on(bounded(self._app), scope, receive, send, _FAULT)
        finally:
            self._open -= 1
            asker.leave()
