"""The wire's two descriptors, kept apart from everything that might print."""

from __future__ import annotations

import os
from typing import NamedTuple


class Wire(NamedTuple):
    """Private copies of what were descriptors 0 and 1."""

    incoming: int
    outgoing: int


def claim() -> Wire:
    """Take stdin and stdout for the wire alone.

    Afterwards descriptor 0 reads nothing and descriptor 1 writes to stderr, so that a stray ``print``, in
    Python or in C, cannot end up between two messages.
    """
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    wire = Wire(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return wire


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however the pipe divides them."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
