"""The wire's two descriptors, apart from those that a stray print writes to."""

from __future__ import annotations

import os

# All that the child has open beside 0, 1 and 2. The system call filter names these numbers.
INCOMING, OUTGOING, STATUS = 3, 4, 5
# A zygote's socket: the lowest number above the three that a request's descriptors must get.
CONTROL = STATUS + 1


def claim() -> None:
    """Move stdin and stdout to `INCOMING` and `OUTGOING`, for the wire alone, and close all else.

    Afterwards descriptor 0 is at its end and descriptor 1 writes to stderr, so that a stray ``print``, in
    Python or in C, cannot come between two messages.

    Raises:
        OSError: descriptor 0, 1 or 2 is not open, or there are too few.
    """
    os.closerange(INCOMING, os.sysconf("SC_OPEN_MAX"))
    os.dup2(0, INCOMING, inheritable=False)
    os.dup2(1, OUTGOING, inheritable=False)
    replace_stdio()


def replace_stdio() -> None:
    """Put descriptor 0 at its end and let descriptor 1 write to stderr."""
    ended, writing = os.pipe()  # not every container has a /dev/null
    os.close(writing)
    os.dup2(ended, 0)
    os.dup2(2, 1)
    os.close(ended)


def move_descriptors() -> None:
    """Make the third descriptor of a request stderr, and close the socket: all is as `claim` leaves it."""
    os.dup2(STATUS, 1)
    os.dup2(STATUS, 2)
    os.close(STATUS)
    os.close(CONTROL)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes: write(2) may take a part of them."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
