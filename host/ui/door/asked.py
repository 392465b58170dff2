"""What a door looks at of a request."""

from __future__ import annotations

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.types import Scope

_READS = ("GET", "HEAD")
_QUERY = 200  # characters that may be before the end of a key


class Asked:
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

    @property
    def origin(self) -> str:
        """The origin of the page that has a browser ask; "" where no page does."""
        return self._one(b"origin")

    def is_of_our_pages(self) -> bool:
        """Whether no page of another origin has made a browser ask this.

        A page at another port of the same host counts as the same site, so the cookie alone says nothing.
        """
        origin = self.origin
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
