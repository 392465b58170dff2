"""The child's life: read, carry out, write. It blocks, it has one thread, and it ends when stdin does."""

from __future__ import annotations

import os

from flowcage.child.session import Session
from flowcage.child.stdio import Wire, write_all

READ_BYTES = 256 * 1024


def serve(wire: Wire, session: Session) -> None:
    """Answer until shutdown, the end of stdin, or a host that no longer reads."""
    while True:
        data = os.read(wire.incoming, READ_BYTES)
        for reply in session.receive(data):
            write_all(wire.outgoing, reply.data)
            if reply.last:
                return
