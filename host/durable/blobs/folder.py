"""Objects as files of a folder, such as one that machines share; it needs no driver."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flowcage.host.durable.blobs.objects import NoObject


class Folder:
    """See `Objects`. Files are for their owner alone.

    Args:
        root: a folder, which is not made: a disk that is not mounted is not filled in its place.
        name: of the folder in it.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._folder = root / name
        self.shown = str(root)

    def put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        self._make(path.parent)
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        file = os.open(path, flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        finally:
            os.close(file)
        _sync(path.parent)

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if not self._root.is_dir():
            raise FileNotFoundError(f"there is no folder {self._root}; make it, or mount its disk")
        for each in (self._folder, folder):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
                _sync(each.parent)

    def get(self, name: str, most: int) -> bytes:
        # Who writes there may have put a pipe or a link in its place: neither is waited for, or followed.
        found = self._opened(self._folder / name)
        try:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise NoObject("it is no file")
            with open(found, "rb", closefd=False) as file:
                return file.read(most)
        finally:
            os.close(found)

    def _opened(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except FileNotFoundError:
            if not self._folder.is_dir():
                why = "make it, or mount its disk, or give the address where this store has its blobs"
                raise OSError(f"there is no folder {self._folder}; {why}") from None
            raise
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NoObject("it is a link") from None
            raise

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        for shelf in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if shelf.is_dir() and not shelf.is_symlink():
                with os.scandir(shelf) as found:
                    names = sorted(each.name for each in found if each.is_file(follow_symlinks=False))
                yield from (f"{shelf.name}/{name}" for name in names)


def _sync(folder: Path) -> None:
    """A file's name is in its folder, which the disk has later than the file."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
