"""Files below a folder, opened so that neither ``..`` nor a symbolic link leads out of it.

Another process may write in that folder meanwhile. A path that is checked first and opened afterwards can
name another file by then, so no name is looked up twice. Invariants:

- Each step of a path is opened relative to the descriptor of the folder that holds it, with O_NOFOLLOW. A
  link is read with readlink(2), and its target is walked in the same way.
- ``..`` goes back to the descriptor that the walk came from, and never above the first, which is the root. So
  a folder that is moved elsewhere during the walk does not lead there.
- What is read is the descriptor that was checked: it must be a regular file, whatever stands at its path by
  then.
- Links, levels and characters are bounded, so no tree of links holds the event loop or uses up descriptors.

openat2(2) with RESOLVE_BENEATH does nearly the same in one call, but on Linux only, and it refuses absolute
links even where they stay below the folder (D31).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePath

# As in the kernel's own lookup: MAXSYMLINKS and PATH_MAX.
MAX_LINKS = 40
MAX_PATH_CHARACTERS = 4096
# Each level holds a descriptor while a path is walked.
MAX_LEVELS = 64
# O_PATH (Linux) needs no permission to read the folder, only to pass it.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
# Without O_NONBLOCK, opening a named pipe would wait for a writer.
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class OutsideRoot(Exception):
    """A path that leads out of the folder."""


def relative_to(root: Path, path: str | Path) -> str | None:
    """An absolute path as one relative to a folder; None if it does not begin with the folder's path.

    The folder is compared by two paths, as given and with its links resolved. Nothing of `path` is looked up.
    """
    for folder in dict.fromkeys((os.path.abspath(root), os.path.realpath(root))):
        for candidate in (PurePath(path), PurePath(os.path.normpath(path))):
            if candidate.is_relative_to(folder):
                return str(candidate.relative_to(folder))
    return None


@contextmanager
def opened_file(root: Path, path: str, suffixes: tuple[str, ...] = ("",)) -> Iterator[int]:
    """A descriptor for reading a regular file, open for the length of the block.

    Args:
        root: the folder.
        path: relative to it, or absolute and below it.
        suffixes: one of which the file's own name ends with, whatever links lead to it are called.

    Raises:
        OutsideRoot: the path leads out of the folder.
        OSError: the file is missing, not regular, called otherwise, or cannot be read. Show `strerror` only:
            the exception's text may contain names of the host's file system.
        ValueError: the path contains a NUL.
    """
    with _Walk(root) as walk:
        descriptor, name = walk.open_file(path)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if not name.endswith(suffixes):
            raise OSError(
                errno.EINVAL, f"it is called neither {' nor '.join(f'*{each}' for each in suffixes)}"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def file_names(root: Path, path: str, most: int) -> list[str]:
    """At most so many names in a folder below the root; none where it cannot be listed."""
    try:
        with _Walk(root) as walk:
            descriptor = walk.open_folder(path)
        try:
            with os.scandir(descriptor) as entries:
                return [entry.name for entry in islice(entries, most)]
        finally:
            os.close(descriptor)
    except (OSError, OutsideRoot):
        return []


class _Walk:
    """A walk along a path: the descriptors of the folders from the root to where it has led."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders = [os.open(root, _FOLDER)]

    def __enter__(self) -> _Walk:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave_until(0)

    def open_file(self, path: str) -> tuple[int, str]:
        """Open the file at the end of a path, and tell its own name; the caller closes it."""
        last = self._walk(path)
        if last is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return os.open(last, _FILE | os.O_NOFOLLOW, dir_fd=self._folders[-1]), last

    def open_folder(self, path: str) -> int:
        """Open the folder at the end of a path for listing; the caller closes it."""
        self._walk(f"{path}/.")
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folders[-1])

    def _walk(self, path: str) -> str | None:
        """Enter the folders of a path; return its last name, or None where that leads to a folder."""
        steps, links = self._steps(path), 0
        while steps:
            step = steps.pop()
            target = self._link(step)
            if target is not None:
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                steps += self._steps(target)
            elif not steps and step != "..":
                return None if step == "." else step
            else:
                self._enter(step)
        return None

    def _steps(self, path: str) -> list[str]:
        """The names of a path in reverse; an absolute path takes the walk back to the root."""
        if len(path) > MAX_PATH_CHARACTERS:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        if os.path.isabs(path):
            relative = relative_to(self._root, path)
            if relative is None:
                raise OutsideRoot
            path = relative
            self._leave_until(1)
        # `PurePath` would drop the last "."; one that ends in it is a folder.
        return [step for step in path.split("/") if step][::-1]

    def _link(self, step: str) -> str | None:
        if step in (".", ".."):
            return None
        try:
            return os.readlink(step, dir_fd=self._folders[-1])
        except OSError as error:
            if error.errno == errno.EINVAL:  # readlink(2): it is no symbolic link
                return None
            raise

    def _enter(self, step: str) -> None:
        if step == "..":
            if len(self._folders) == 1:
                raise OutsideRoot
            self._leave_until(len(self._folders) - 1)
        elif step != ".":
            if len(self._folders) > MAX_LEVELS:
                raise OSError(errno.ENAMETOOLONG, f"more than {MAX_LEVELS} folders deep")
            self._folders.append(os.open(step, _FOLDER | os.O_NOFOLLOW, dir_fd=self._folders[-1]))

    def _leave_until(self, count: int) -> None:
        while len(self._folders) > count:
            os.close(self._folders.pop())
