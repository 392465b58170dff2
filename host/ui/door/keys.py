"""The token of a server, and keys of one use by which a browser gets it.

A key may be seen on the terminal or in the list of processes, where a browser is started with an address, so
it lets in once. It is written to a file that only its owner reads; the file has a new one after each use.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import html
import logging
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LOGGER = logging.getLogger("flowcage.ui")
_LENGTH = 32  # characters of a token, at least
_MOST = 512
_KEY_BYTES = 24
_FOR_ANYBODY, _FOR_OTHERS = 0o077, 0o027
_OF_ROOT = "what is root's, such as a mounted secret, a group may read (defaultMode: 0440, and fsGroup)"
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class TokenError(Exception):
    """A file holds no token that may be used."""


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(_LENGTH)


def token_of(path: Path) -> str:
    """The token in a file, which is made where there is none.

    What root has put there, such as a secret that is mounted into a container, a group may read.

    Raises:
        TokenError: others may read it, it is another user's, or what it holds is none.
    """
    try:
        return _made(path)
    except FileExistsError:
        pass
    except OSError as error:
        raise TokenError(f"{path} cannot be made: {error.strerror}") from None
    try:
        return _read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no ASCII'}") from None


def _made(path: Path) -> str:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    token = new_token()
    with os.fdopen(file, "w") as opened:
        opened.write(f"{token}\n")
    return token


def _read(path: Path) -> str:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise TokenError(f"{path} is no file")
        if not _is_private(found):
            raise TokenError(f"{path} must be yours alone: chmod 600 {path}; {_OF_ROOT}")
        token = opened.read(_MOST + 1).decode("ascii").strip()
    if not _LENGTH <= len(token) <= _MOST or not _ALLOWED.issuperset(token):
        raise TokenError(f"{path} holds no token: expected {_LENGTH} to {_MOST} of A-Z, a-z, 0-9, _ and -")
    return token


def _is_private(found: os.stat_result) -> bool:
    if found.st_uid == 0:
        return not found.st_mode & _FOR_OTHERS
    return found.st_uid == os.geteuid() and not found.st_mode & _FOR_ANYBODY


class Keys:
    """Of one server.

    Args:
        token: that a browser gets for a key.
        changed: is told of each new key.

    Attributes:
        place: the first part of every path. A browser sends cookies to all ports of a host, and so to servers
            of other users; but only under this path, which they do not know.
    """

    def __init__(self, token: str, changed: Callable[[], None] = lambda: None) -> None:
        self._token = token
        self._key = secrets.token_urlsafe(_KEY_BYTES)
        self.changed = changed
        self.place = _derived(token, b"place")[:22]
        self.session = _derived(token, b"session")

    @property
    def key(self) -> str:
        """That lets in once."""
        return self._key

    def use(self, key: str) -> bool:
        """Whether a key lets in; afterwards it does not any more."""
        if not _is_same(key, self._key):
            return False
        self._key = secrets.token_urlsafe(_KEY_BYTES)
        try:
            self.changed()
        except OSError as error:
            _LOGGER.warning("no further browser can be let in: %s", error)
        return True

    def is_session(self, value: str) -> bool:
        """Whether a cookie is one of this server."""
        return _is_same(value, self.session)

    def is_token(self, value: str) -> bool:
        """Whether a program has sent the token itself."""
        return _is_same(value, self._token)


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _derived(token: str, what: bytes) -> str:
    return hmac.new(token.encode(), what, hashlib.sha256).hexdigest()


class EntryFile:
    """A page that leads a browser of its owner to the server, with a key that is still good.

    Args:
        path: of the file, which is the server's own.
        address: what the page leads to, at the moment.
    """

    def __init__(self, path: Path, address: Callable[[], str]) -> None:
        self.path = path
        self._address = address

    def write(self) -> None:
        """Write it anew, and its folder where that is gone; a reader has the old one or the new one."""
        folder = self.path.parent
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)  # what keeps /tmp clean removes it after some days
        if folder.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it is another user's by now", str(folder))
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        file = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w") as opened:
            opened.write(_page(self._address()))
        fresh.rename(self.path)

    def remove(self) -> None:
        """Nothing listens any more."""
        for path in (self.path, self.path.with_name(f"{self.path.name}.new")):
            path.unlink(missing_ok=True)


def _page(address: str) -> str:
    where = html.escape(address, quote=True)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="referrer" content="no-referrer">'
        f'<title>flowcage</title><meta http-equiv="refresh" content="0; url={where}"></head>'
        f'<body><p><a href="{where}">flowcage</a></p></body></html>\n'
    )
