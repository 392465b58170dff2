"""The opening of a file that a run writes: without waiting, and emptied only when it is no input."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from flowcage.host.cli.input_files import InputFiles


def open_output(what: str, path: Path, inputs: InputFiles) -> int | None:
    """Open a file for writing; a regular file is created or emptied.

    Args:
        what: the option and the path, for messages.
        path: of a file, a device or a named pipe.
        inputs: the files that were read and must not be overwritten.

    Returns:
        A descriptor; None for a named pipe without a reader, for which `open_pipe` waits.

    Raises:
        InputError: the file is one of the inputs or outputs, or stdout or stderr go to it.
        OSError: the file cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        # fifo(7): with O_NONBLOCK, opening a pipe without a reader for writing fails with ENXIO.
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
            return None
        raise
    try:
        inputs.refuse_as_output(what, descriptor)  # before it is emptied, hence no O_TRUNC above
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, 0)
        os.set_blocking(descriptor, True)
        inputs.note_output(what, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_pipe(path: Path) -> int:
    """Open a named pipe, which waits for its reader; call this in a thread.

    Raises:
        OSError: there is no such file any more, or another one than a pipe.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no longer a named pipe")
    return descriptor
