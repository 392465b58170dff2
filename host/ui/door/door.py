"""The door: an ASGI program in front of another one, which it asks only for those who have been let in.

Whoever has no token learns nothing: every path has the same answer, and it names no run, version or file.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from flowcage.host.ui.door.asked import Asked
from flowcage.host.ui.door.keys import Keys
from flowcage.host.ui.door.said import hardened, pass_on, say

COOKIE: Final = "flowcage"
ENTER: Final = "enter"
_CLOSED = b"not allowed: open the address, or the file, that flowcage ui has printed\n"
_ENTERED = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>flowcage</title>'
    b'<link rel="icon" href="./static/ui/icon.svg"><meta http-equiv="refresh" content="0; url=./"></head>'
    b'<body><p><a href="./">runs</a></p></body></html>'
)
_FAULT = b"internal error; flowcage ui --log-format json logs it\n"


class Door:
    """In front of an ASGI program.

    Args:
        app: is asked for what is below ``/PLACE``, which is its root.
        keys: that let in.
        names: values of the header Host that are answered.
    """

    def __init__(self, app: ASGIApp, keys: Keys, names: frozenset[str]) -> None:
        self._app = app
        self._keys = keys
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        else:
            await self._answer(scope, receive, hardened(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope)
        if asked.host not in self._names:
            await say(send, 421, b"unknown name of this host\n")
        elif asked.is_at(self._keys.place, ENTER) and self._keys.use(asked.key):
            await say(send, 200, _ENTERED, (b"set-cookie", self._cookie()), kind=b"text/html")
        elif not self._is_let_in(asked):
            await say(send, 401, _CLOSED)
        elif not asked.is_below(self._keys.place):
            await say(send, 404, b"not found\n")
        elif not asked.is_of_our_pages():
            await say(send, 403, b"asked by another page\n")
        else:
            inside = {**scope, "root_path": f"/{self._keys.place}"}
            await pass_on(self._app, inside, receive, send, _FAULT)

    def _is_let_in(self, asked: Asked) -> bool:
        return any(map(self._keys.is_session, asked.cookies(COOKIE))) or self._keys.is_token(asked.bearer)

    def _cookie(self) -> bytes:
        path = f"/{self._keys.place}/"
        return f"{COOKIE}={self._keys.session}; Path={path}; HttpOnly; SameSite=Strict".encode()
