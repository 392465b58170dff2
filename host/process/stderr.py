"""A child's stderr: its tail, and how much of it is read at all.

Nobody waits for it in the usual case, in which a child writes nothing: it is looked at by the glances, and
once more when the child has ended. From the first glance that finds something a task reads it, since a child
that writes much would wait for each glance with a full pipe.
"""

from __future__ import annotations

import os
from contextlib import suppress

import trio

# Kept for the report: enough for a traceback.
TAIL_BYTES = 8 * 1024
# Read in all. Past that the child blocks on its own pipe, since reading costs the host more than writing
# costs it.
MAX_BYTES = 16 * 1024 * 1024
_READ_BYTES = 64 * 1024
# What a pipe can hold: an ordinary user may enlarge one to that, pipe(7).
_PIPE_BYTES = 1024 * 1024


class Stderr:
    """The host's end of the pipe, which must be in non-blocking mode; its owner closes it.

    Attributes:
        tail: the last of what was read.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = MAX_BYTES
        self.tail = b""

    def take(self) -> bool:
        """Read once what is in the pipe, without waiting; whether there was anything."""
        if self._left <= 0:
            return False
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        self._left -= len(data)
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        return bool(data)

    def take_rest(self) -> None:
        """Read what a child has left behind that has ended; others may still write, so not without end."""
        for _ in range(_PIPE_BYTES // _READ_BYTES):
            if not self.take():
                return

    async def collect(self) -> None:
        """Read until the end, so that a child that writes much does not wait for glances."""
        with suppress(trio.ClosedResourceError):
            while self._left > 0:
                await trio.lowlevel.wait_readable(self._descriptor)
                if not self.take():
                    return
