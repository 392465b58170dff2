"""The door: an ASGI program in front of another one, which it asks only for those who have been let in.

Whoever has no token learns nothing: every path has the same answer, and it names no run, version or file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowcage.host.ui.door.keys import Keys

COOKIE: Final = "flowcage"
ENTER: Final = "enter"
_LOGGER = logging.getLogger("flowcage.ui")
_READS = ("GET", "HEAD")
_QUERY = 200  # characters that may be before the end of a key
# Member of a request's state: what to call once it was let in, where the server wants to know.
LET_IN: Final = "let_in"
_CLOSED = b"not allowed: open the address, or the file, that flowcage ui has printed\n"
_ENTERED = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>flowcage</title>'
    b'<link rel="icon" href="./static/ui/icon.svg"><meta http-equiv="refresh" content="0; url=./"></head>'
    b'<body><p><a href="./">runs</a></p></body></html>'
)
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
            await self._answer(scope, receive, _hardened(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _Asked(scope)
        if asked.host not in self._names:
            await _say(send, 421, b"unknown name of this host\n")
        elif asked.is_at(self._keys.place, ENTER) and self._keys.use(asked.key):
            await _say(send, 200, _ENTERED, (b"set-cookie", self._cookie()), kind=b"text/html")
        elif not self._is_let_in(asked):
            await _say(send, 401, _CLOSED)
        elif not asked.is_below(self._keys.place):
            await _say(send, 404, b"not found\n")
        elif not asked.is_of_our_pages():
            await _say(send, 403, b"asked by another page\n")
        else:
            await self._pass_on(scope, receive, send)

    def _is_let_in(self, asked: _Asked) -> bool:
        return any(map(self._keys.is_session, asked.cookies(COOKIE))) or self._keys.is_token(asked.bearer)

    def _cookie(self) -> bytes:
        path = f"/{self._keys.place}/"
        return f"{COOKIE}={self._keys.session}; Path={path}; HttpOnly; SameSite=Strict".encode()

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (let_in := scope.get("state", {}).pop(LET_IN, None)) is not None:
            let_in()
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app({**scope, "root_path": f"/{self._keys.place}"}, receive, noting)
        except Exception as error:
            # Without the request's path and headers, which are not for a log.
            _LOGGER.exception("a request could not be answered: %s", type(error).__name__)
            if not begun:
                await _say(send, 500, b"internal error; flowcage ui --log-format json logs it\n")


class _Asked:
    """What the door looks at of a request."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.host = self._one(b"host").lower()

    def is_at(self, place: str, name: str) -> bool:
        """Whether a browser asks for one page."""
        return bool(self._scope["method"] == "GET" and self._scope["path"] == f"/{place}/{name}")

    def is_below(self, place: str) -> bool:
        """Whether the path is the server's."""
        return bool(self._scope["path"].startswith(f"/{place}/"))

    @property
    def key(self) -> str:
        """The key of one use."""
        found = parse_qs(self._scope["query_string"][:_QUERY].decode("ascii", "replace"))
        return next(iter(found.get("key", ())), "")

    @property
    def bearer(self) -> str:
        """The token, as programs send it."""
        scheme, _, token = self._one(b"authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def cookies(self, name: str) -> Iterable[str]:
        """All of a name: a server at another port may have set one, too."""
        for value in self._all(b"cookie"):
            for part in value.split(";"):
                try:
                    found = SimpleCookie(part.strip()).get(name)
                except CookieError:
                    continue
                if found is not None:
                    yield found.value

    def is_of_our_pages(self) -> bool:
        """Whether no page of another origin has made a browser ask this.

        A page at another port of the same host counts as the same site, so the cookie alone says nothing.
        """
        origin = self._one(b"origin")
        if self._scope["method"] not in _READS and not self.bearer:
            return origin == f"http://{self.host}"
        site, mode = self._one(b"sec-fetch-site"), self._one(b"sec-fetch-mode")
        return origin in ("", f"http://{self.host}") and (
            site in ("", "none", "same-origin") or mode == "navigate"
        )

    def _all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for given, value in self._headers if given.lower() == name]

    def _one(self, name: bytes) -> str:
        """A header that may be there once; "" otherwise."""
        found = self._all(name)
        return found[0].strip() if len(found) == 1 else ""


def _hardened(send: Send) -> Send:
    """`send` that tells the browser with each answer what it may do with it."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in _HEADERS}
            own = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*own, *_HEADERS]}
        await send(message)

    return hardened


async def _say(
    send: Send, status: int, text: bytes, *more: tuple[bytes, bytes], kind: bytes = b"text/plain"
) -> None:
    headers = [
        (b"content-type", kind + b"; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
