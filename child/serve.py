"""The child's loop: read, carry out, write. One thread, which blocks; it returns at the end of stdin."""

from __future__ import annotations

import os
from collections.abc import Iterable

from flowcage.child.stdio import INCOMING, OUTGOING, write_all

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from flowcage.child.session import Reply, Session

# The capacity of a pipe (pipe(7)). From 128 KiB on, malloc would mmap and munmap a buffer for each read.
READ_BYTES = 64 * 1024


def serve(session: Session, replies: Iterable[Reply] = ()) -> None:
    """Answer messages until `shutdown` or the end of stdin.

    Args:
        session: what carries the messages out.
        replies: replies to messages that were read before, which are written first.

    Raises:
        BrokenPipeError: the host has closed the pipe that replies are written to.
    """
    while True:
        for reply in replies:
            write_all(OUTGOING, reply.data)
            if reply.last:
                return
        replies = session.receive(_read(session))


def _read(session: Session) -> bytes:
    try:
        return os.read(INCOMING, READ_BYTES)
    except MemoryError:  # the address space is full of the run's heap
        session.free_heap()
        return os.read(INCOMING, READ_BYTES)
