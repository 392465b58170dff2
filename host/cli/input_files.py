"""The files that a command line names: each is read once, one may be stdin, and none may be written to."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flowcage.host.terminal.text import tell
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES

STDIN = Path("-")


class InputError(Exception):
    """An argument of the command line cannot be used; the message names it and is a usage error."""


class InputFiles:
    """Reads files, and keeps their device and inode numbers, by which an output is compared with them.

    Args:
        named: the files by option; ``-`` is stdin, None an option that was not given.

    Raises:
        InputError: two of them are stdin. This is checked before stdin is read, which may wait for a person.
    """

    def __init__(self, named: Mapping[str, Path | None]) -> None:
        self._read: dict[tuple[int, int], str] = {}
        from_stdin = [option for option, path in named.items() if path == STDIN]
        if len(from_stdin) > 1:
            raise InputError(f"only one of {' and '.join(from_stdin)} can be '-': stdin is read once")

    def read(self, what: str, path: Path, most: int = DEFAULT_MAX_MESSAGE_BYTES) -> bytes:
        """The content of a file, cut one byte after the most that it may have.

        Args:
            what: the option that names the file, for messages.
            path: ``-`` for stdin.
            most: bytes; by default, as many as a message may have.

        Raises:
            InputError: stdin is closed.
            OSError: the file cannot be read.
        """
        if path == STDIN:
            return self._read_stdin(what, most)
        if _has_no_writer_perhaps(path):
            tell(f"flowcage: {what} {path}: a named pipe; waiting for what is written to it")
        with path.open("rb") as file:
            self._read[_identity(os.fstat(file.fileno()))] = f"{what} {path}"
            return file.read(most + 1)

    def refuse_as_output(self, what: str, descriptor: int) -> None:
        """Refuse to write to a file that was read, or that stdout or stderr go to.

        Args:
            what: the option and the path, for messages.
            descriptor: the file, opened and not emptied yet.

        Raises:
            InputError: it is one of them.
        """
        status = os.fstat(descriptor)
        is_file = stat.S_ISREG(status.st_mode)  # in a terminal or /dev/null nothing can be overwritten
        other = self._read.get(_identity(status))
        if other is not None and (is_file or stat.S_ISFIFO(status.st_mode)):
            raise InputError(f"{what} is the same file as {other}; it would be overwritten")
        if is_file:
            for number, name in ((1, "stdout"), (2, "stderr")):
                with suppress(OSError):  # the stream is closed
                    if _identity(os.fstat(number)) == _identity(status):
                        raise InputError(f"{what} is the file that {name} goes to; name another one")

    def note_output(self, what: str, descriptor: int) -> None:
        """Refuse this file for another output, too: one would overwrite the other."""
        self._read[_identity(os.fstat(descriptor))] = what

    def _read_stdin(self, what: str, most: int) -> bytes:
        if sys.stdin is None:
            raise InputError(f"{what} -: stdin is closed")
        with suppress(OSError):
            self._read[_identity(os.fstat(sys.stdin.fileno()))] = f"{what} -"
        return sys.stdin.buffer.read(most + 1)


def _has_no_writer_perhaps(path: Path) -> bool:
    """Whether it is a pipe with a name of its own; a shell has opened the other end of what <(…) names."""
    try:
        return stat.S_ISFIFO(os.stat(os.path.realpath(path)).st_mode)
    except (OSError, ValueError):
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
