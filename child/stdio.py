"""The wire's two descriptors, kept apart from everything that might print."""

from __future__ import annotations

import os

# Everything that the child ever has open, beside 0, 1 and 2. The cage allows these numbers.
INCOMING, OUTGOING, STATUS = 3, 4, 5


def claim() -> None:
    """Take stdin and stdout for the wire alone, as `INCOMING` and `OUTGOING`, and close all else.

    Afterwards descriptor 0 reads nothing and descriptor 1 writes to stderr, so that a stray ``print``, in
    Python or in C, cannot end up between two messages.
    """
    os.closerange(INCOMING, os.sysconf("SC_OPEN_MAX"))
    os.dup2(0, INCOMING, inheritable=False)
    os.dup2(1, OUTGOING, inheritable=False)
    replace_stdio()


def replace_stdio() -> None:
    """Have descriptor 0 read nothing and descriptor 1 write to stderr."""
    ended, writing = os.pipe()  # not every container has a /dev/null
    os.close(writing)
    os.dup2(ended, 0)
    os.dup2(2, 1)
    os.close(ended)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however the pipe divides them."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
