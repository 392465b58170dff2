"""How much CPU another process has used: a microsecond to ask, so it can be asked often."""

from __future__ import annotations

import sys
import time

_CPUCLOCK_SCHED = 2


def cpu_seconds(pid: int) -> float | None:
    """User and system CPU of a process; None where nobody can tell, because it was reaped.

    A process that has ended and was not reaped yet still has its figure.
    """
    if sys.platform == "linux":
        try:
            # The clock that clock_getcpuclockid(3) gives for a process.
            return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
        except OSError:
            return None
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)
