"""Kills and reaps processes that a subject leaves behind, also outside of its session (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


@contextmanager
def orphans_reaped() -> Iterator[None]:
    """Adopt processes whose parents end inside the block (PR_SET_CHILD_SUBREAPER), and kill them at its end.

    All children of this process are killed then, so it must have no others.
    """
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        while _end_children():
            pass
        library.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _end_children() -> bool:
    """Kill and reap all children.

    Returns:
        Whether there were any: their own children have been adopted by that.
    """
    import psutil

    left = psutil.Process().children()
    for process in left:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    for process in left:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
    return bool(left)
