"""Where objects are kept, and what is asked of such a place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from flowcage.host.durable.errors import WrongStore


class NoObject(Exception):
    """Something else is in the place of an object."""


class Objects(Protocol):
    """A place for objects. All is called in threads, several at once.

    What fails raises OSError, or whatever a driver raises: FileNotFoundError and `NoObject` for one object.

    Attributes:
        shown: its address, for messages.
    """

    shown: str

    def put(self, name: str, data: bytes) -> None:
        """Keep an object, so that it is there after a crash."""

    def get(self, name: str, most: int) -> bytes:
        """An object, or so many bytes of it."""

    def remove(self, name: str) -> None: ...

    def names(self) -> Iterator[str]:
        """Of all objects."""


def opened(address: str, folder: str) -> Objects:
    """The objects of one store.

    Args:
        address: a folder, ``file:///shared/folder``, or what fsspec has a driver for.
        folder: of this store in it.

    Raises:
        WrongStore: it is none, or its driver is not installed.
    """
    from flowcage.host.durable.blobs.folder import Folder

    parts = _parts(address)
    if parts.scheme in ("", "file"):
        if parts.netloc or parts.query or parts.fragment or not parts.path.startswith("/"):
            raise WrongStore(f"blobs are at an absolute path, or at a URL such as s3://BUCKET: {address!r}")
        return Folder(Path(unquote(parts.path) if parts.scheme else address), folder)
    from flowcage.host.durable.blobs.remote import Remote

    return Remote(address, folder)


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        hides = parts.password is not None
    except ValueError:
        raise WrongStore("the address of blobs is no URL") from None
    if hides:  # which is not repeated
        raise WrongStore(
            "the address of blobs has a password; give it where the driver looks for it, such as in the "
            "variables of its environment"
        )
    return parts
