"""Whoever a subject left behind, also outside of its session: adopted, killed and reaped (Linux)."""

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
    """Processes whose parents have ended become ours; on the way out all that are left are ended.

    For a program that has no other children: it sets an attribute of the whole process.
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
    """Kill and reap all children; their own become ours by that, so whether there were any is told."""
    import psutil

    left = psutil.Process().children()
    for process in left:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    for process in left:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
    return bool(left)
