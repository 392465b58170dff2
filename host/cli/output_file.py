"""A file that a run writes while it goes on: opened without waiting, emptied once it is known to be free."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from flowcage.host.cli.input_files import InputFiles


def open_output(what: str, path: Path, inputs: InputFiles) -> int | None:
    """Open a file for writing, made or emptied where it is a regular one.

    Args:
        what: the option and the path, for messages.
        path: of a file, a device or a named pipe.
        inputs: what was read, and must not be overwritten.

    Returns:
        A descriptor; None for a named pipe that nobody reads, which `open_pipe` waits for.

    Raises:
        InputError: it is one of the inputs, or of the streams.
        OSError: it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        # fifo(7): a pipe that nobody reads cannot be opened for writing without waiting.
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
            return None
        raise
    try:
        inputs.refuse_as_output(what, descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, 0)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_pipe(path: Path) -> int:
    """Wait until somebody reads a named pipe; call it in a thread.

    Raises:
        OSError: it has gone, or is no pipe any more.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it was a named pipe, and is none any more")
    return descriptor
