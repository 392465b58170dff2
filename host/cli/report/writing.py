"""A file that is replaced at once: whoever reads it has the old one or the new one, and never a part."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from flowcage.host.terminal.line_sink import write_all


class OutputError(Exception):
    """The file cannot be the output; the message says why."""


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that is there."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def put(path: Path, text: str) -> None:
    """Write a file that only its owner can read. A device or a named pipe is written to as it is.

    Raises:
        OutputError: it is a folder.
        OSError: it cannot be written; a file that was there is as it was.
    """
    data = text.encode("utf-8", "backslashreplace")
    target = Path(os.path.realpath(path))  # where it is a link, the file is replaced and not the link
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise OutputError(f"-o {path} is a folder; name a file in it")
    if not stat.S_ISREG(mode):
        _write_to(os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY), data)
        return
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        _write_to(os.open(beside, flags, 0o600), data)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _write_to(descriptor: int, data: bytes) -> None:
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)
