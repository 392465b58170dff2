"""Peak and mapped memory of this process, from a descriptor opened before the cage forbids to open files."""

from __future__ import annotations

import ctypes
import os
import re

from flowcage.child.stdio import STATUS

_PATH = ctypes.create_string_buffer(b"/proc/self/status")
_AT_FDCWD = -100  # fcntl.h
# The arguments of openat(2) that `open_high_water` comes to.
OPEN_STATUS = (_AT_FDCWD, ctypes.addressof(_PATH), os.O_RDONLY | os.O_CLOEXEC)
_MAPPED = re.compile(rb"VmSize:\s*(\d+) kB\n")
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB\n(?:.*\n)*?RssFile:\s*(\d+) kB")


class HighWater:
    """Reads /proc/self/status (proc(5)).

    getrusage(2) cannot replace it: ru_maxrss survives execve(2), so a child of a large host would start with
    the host's peak.

    Args:
        descriptor: an open descriptor of that file; -1 makes every figure 0, which means unknown.
    """

    def __init__(self, descriptor: int = -1) -> None:
        self._descriptor = descriptor

    def peak_bytes(self) -> int:
        """Peak resident memory without file pages (VmHWM less RssFile), in bytes; 0 where it is unknown.

        File pages are left out because they say nothing of the run: after a fork(2) the pages of the
        interpreter's files are mapped anew, one by one as they are used.
        """
        if self._descriptor < 0:
            return 0
        found = _PEAK.search(os.pread(self._descriptor, 8192, 0))
        return (int(found[1]) - int(found[2])) * 1024 if found else 0

    def mapped_bytes(self) -> int:
        """Mapped memory (VmSize, which RLIMIT_AS bounds), in bytes; 0 where it is unknown."""
        if self._descriptor < 0:
            return 0
        found = _MAPPED.search(os.pread(self._descriptor, 8192, 0))
        return int(found[1]) * 1024 if found else 0


def open_high_water() -> HighWater:
    """Open /proc/self/status as descriptor `STATUS`, the only one that the cage lets the child pread(2).

    Only for a process that is a child and nothing else: a descriptor of that number is replaced. After a
    fork(2) the child opens it again, since the open file belongs to the process that opened it.
    """
    try:
        opened = os.open(_PATH.value, os.O_RDONLY)
    except OSError:  # no /proc: an out-of-memory error that the engine drops is then not found out
        return HighWater()
    if opened != STATUS:
        os.dup2(opened, STATUS, inheritable=False)
        os.close(opened)
    return HighWater(STATUS)
