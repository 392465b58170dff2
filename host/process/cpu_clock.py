"""The CPU that another process has used. On Linux a call takes a microsecond, so each step can be timed."""

from __future__ import annotations

import sys
import time

_CPUCLOCK_SCHED = 2


def cpu_seconds(pid: int) -> float | None:
    """User and system CPU of a process until now, or until its end; None once it is reaped."""
    if sys.platform == "linux":
        try:
            # The id that clock_getcpuclockid(3) computes; Python has no call for it.
            return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
        except OSError:
            return None
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)
