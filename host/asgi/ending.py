"""Whether the server is ending, where it says so to nobody.

A server waits for its streams before it ends the lifespan, in which it would say so, and uvicorn waits
without a limit. It has its signal handlers while it serves, and they are methods of the server, which has a
flag.
"""

from __future__ import annotations

import signal


def is_ending() -> bool:
    """Whether uvicorn was told to end, by a signal or by its program; False for other servers."""
    for number in (signal.SIGTERM, signal.SIGINT):
        server = getattr(signal.getsignal(number), "__self__", None)
        if getattr(server, "should_exit", False) is True:
            return True
    return False
