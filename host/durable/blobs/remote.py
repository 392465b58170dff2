"""Objects by fsspec, which has drivers for object stores; ``flowcage[blobs]`` brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flowcage.host.durable.errors import WrongStore


class Remote:
    """See `Objects`.

    Args:
        address: as fsspec takes it, such as ``s3://bucket/prefix``.
        name: of the folder in it.

    Raises:
        WrongStore: fsspec, or its driver, is not installed, or knows of no such address.
    """

    def __init__(self, address: str, name: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise WrongStore(f"blobs at a URL need fsspec; install flowcage[blobs] ({error})") from None
        try:
            self._files, root = url_to_fs(address)
        except (ImportError, ValueError, OSError) as error:
            raise WrongStore(f"blobs cannot be kept at {address}: {error}") from None
        self._folder = (
            f"{str(root).rstrip('/')}/{name}".lstrip("/") if root in ("", "/") else f"{root}/{name}"
        )
        self.shown = address

    def put(self, name: str, data: bytes) -> None:
        path = f"{self._folder}/{name}"
        with suppress(NotImplementedError):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(path, data)

    def get(self, name: str, most: int) -> bytes:
        path = f"{self._folder}/{name}"
        return bytes(self._files.cat_file(path, start=0, end=most))

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{self._folder}/{name}")

    def names(self) -> Iterator[str]:
        self._files.invalidate_cache()
        try:
            found: Any = self._files.find(self._folder)
        except FileNotFoundError:
            return
        for path in found:
            yield "/".join(str(path).split("/")[-2:])
