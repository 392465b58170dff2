"""The processes of a program, which must not outlive it."""

from __future__ import annotations

import time
from contextlib import suppress

from flowcage.conformance.check import Deviation


class Descendants:
    """Those that a process has now, children of children too."""

    def __init__(self, pid: int) -> None:
        import psutil

        self._processes = psutil.Process(pid).children(recursive=True)

    def expect_gone(self, timeout: float) -> None:
        """Wait until all have ended.

        Raises:
            Deviation: there were none, or one is left after this many seconds.
        """
        if not self._processes:
            raise Deviation("it has no process for a run that goes on")
        deadline = time.monotonic() + timeout
        while left := [process.pid for process in self._processes if _is_running(process)]:
            if time.monotonic() > deadline:
                raise Deviation(f"{len(left)} of its processes are left after {timeout:g} s")
            time.sleep(0.02)


def _is_running(process: object) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
