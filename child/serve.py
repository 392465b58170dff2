"""The child's life: read, carry out, write. It blocks, it has one thread, and it ends when stdin does."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowcage.child.stdio import INCOMING, OUTGOING, write_all

if TYPE_CHECKING:
    from flowcage.child.session import Reply, Session

# What a pipe holds. From 128 KiB on malloc would map and unmap the buffer of every single read.
READ_BYTES = 64 * 1024


def serve(session: Session, replies: Iterable[Reply] = ()) -> None:
    """Answer until shutdown, the end of stdin, or a host that no longer reads.

    Args:
        replies: to what was read before.
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
    except MemoryError:
        session.free_heap()
        return os.read(INCOMING, READ_BYTES)
