"""Reads a text that somebody else may have put there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_text_file(file: Path, most: int, *, follows_links: bool) -> str:
    """The content of a regular file in UTF-8.

    Args:
        file: its path.
        most: bytes that it may have.
        follows_links: whether it may be a symbolic link.

    Raises:
        OSError: it is missing, too long, a link or not regular, or cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for a writer.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(file, flags if follows_links else flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and not follows_links:
            raise OSError(errno.ELOOP, "is a symbolic link, which is not followed here") from None
        raise
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file")
        data = opened.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"is longer than {most} bytes")
    return data.decode()
