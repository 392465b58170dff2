"""The most memory this process ever had resident, readable after no file can be opened any more."""

from __future__ import annotations

import os
import re

from flowcage.child.stdio import STATUS

_MAPPED = re.compile(rb"VmSize:\s*(\d+) kB\n")
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB\n(?:.*\n)*?RssFile:\s*(\d+) kB")


class HighWater:
    """Reads /proc/self/status (proc(5)). `getrusage` will not do: its figure survives exec(2), so a child of
    a large host would seem large from the start.

    Args:
        descriptor: of that file, open; left out, the figure is unknown.
    """

    def __init__(self, descriptor: int = -1) -> None:
        self._descriptor = descriptor

    def peak_bytes(self) -> int:
        """VmHWM but for files; 0 where it cannot be known.

        The program's own files are mapped anew after a fork(2), page by page as they are used.
        """
        if self._descriptor < 0:
            return 0
        found = _PEAK.search(os.pread(self._descriptor, 8192, 0))
        return (int(found[1]) - int(found[2])) * 1024 if found else 0

    def mapped_bytes(self) -> int:
        """VmSize, which RLIMIT_AS bounds; 0 where it cannot be known."""
        if self._descriptor < 0:
            return 0
        found = _MAPPED.search(os.pread(self._descriptor, 8192, 0))
        return int(found[1]) * 1024 if found else 0


def open_high_water() -> HighWater:
    """Open the file as `STATUS`, the number that the cage allows.

    For a process that is a child and nothing else: whatever has that number is closed.
    """
    try:
        opened = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:  # no /proc: an out-of-memory that the engine itself loses stays lost
        return HighWater()
    if opened != STATUS:
        os.dup2(opened, STATUS, inheritable=False)
        os.close(opened)
    return HighWater(STATUS)
