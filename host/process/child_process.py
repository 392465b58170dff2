"""One process from outside: its pipes, its end, and its reaping.

`Child` in supervisor.py makes a `ChildProcess` from what a launcher returned and calls `close` on every way
out; `agents.schema.checker` does the same for its process. `ExitWatch` and `end_at_once` also serve those who
have no pipes to talk through: the reserve's spares, and the connections of `serve`.

Invariants:

- The pid is the child's until it is reaped. The process stays a zombie from its end to wait4(2), so neither
  the pid nor the id of its process group can belong to another process in between. Every signal is sent
  before that: `kill` does nothing once `ended` is set, and `_wait` kills the group first and reaps then. The
  other way round the group's id could be another's by the time of killpg(2).
- The pidfd is opened before anything else. If that fails, the process is killed and reaped and its pipes are
  closed here, because the caller gets no object to close.
- wait4(2) is called once, by the one task that calls `wait` and `close`; its figures go into `ended`, and the
  verdict rests on them. If SIGCHLD is inherited as ignored, the kernel reaps children and wait4 finds none;
  so it is if other code of the program waits for them. The run then ends with figures of 0 and an unknown
  end.
- The peak of memory is VmHWM from /proc, read while the process lives: the figure of wait4(2) survives
  exec(2), so it would be the size of the host. It is therefore noted before each SIGKILL and before stdin is
  closed.
- `close` ends in bounded time: `CLOSE_GRACE_SECONDS` if the child may leave by itself, then SIGKILL, then
  `REAP_SECONDS` for a process that is stuck in the kernel. It must run shielded, or a cancellation would
  leave a zombie and three descriptors; tests/run/test_faults_of_the_host.py interrupts the end of a run.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress

import trio

from flowcage.host.outcome.measured import Ended
from flowcage.host.process import cpu_clock
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.signals import signal_name
from flowcage.host.terminal.text import plain_text

# After stdin was closed. An idle child exits within milliseconds; one that is busy is killed.
CLOSE_GRACE_SECONDS = 0.5
# After SIGKILL, which only a process in uninterruptible sleep (state D) survives for a while.
REAP_SECONDS = 10.0
# Kept for the report: enough for a traceback.
STDERR_TAIL_BYTES = 8 * 1024
# Read in all. Past that the child blocks on its own pipe, since reading costs the host more than writing
# costs it.
MAX_STDERR_BYTES = 16 * 1024 * 1024
_READ_BYTES = 64 * 1024
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


class ChildProcess:
    """A child and its three pipes. Call `close` in a shielded block on every way out.

    Args:
        spawned: what the launcher returned; its descriptors are closed with this.

    Attributes:
        pid: of the child.
        inherited_bytes: as in `Spawned`.
        stdin, stdout: trio streams.
        ended: how the child ended; None until it is reaped.

    Raises:
        OSError: no descriptor is left for a pidfd; the child is reaped and its descriptors are closed.
    """

    def __init__(self, spawned: Spawned) -> None:
        self.pid = spawned.pid
        self.inherited_bytes = spawned.inherited_bytes
        self._peak_rss_bytes = 0
        try:
            self._exit = ExitWatch(self.pid)
        except OSError:  # no descriptor left; without this object nobody else would reap the child
            end_at_once(self.pid)
            for descriptor in (spawned.stdin, spawned.stdout, spawned.stderr):
                os.close(descriptor)
            raise
        self.stdin = trio.lowlevel.FdStream(spawned.stdin)
        self.stdout = trio.lowlevel.FdStream(spawned.stdout)
        self._stderr = trio.lowlevel.FdStream(spawned.stderr)
        self._stderr_tail = b""
        self.ended: Ended | None = None

    async def read(self) -> bytes:
        """The next bytes of stdout; empty at its end."""
        return bytes(await self.stdout.receive_some(_READ_BYTES))

    def write_nowait(self, data: bytes) -> int:
        """Write what fits into stdin's pipe now, and return how many bytes that was."""
        try:
            return os.write(self.stdin.fileno(), data)
        except (BlockingIOError, BrokenPipeError):  # that the child has gone is seen at the end of its stdout
            return 0

    async def collect_stderr(self) -> None:
        """Read stderr until its end, so that no correct child blocks on it; keep the last of it."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            left = MAX_STDERR_BYTES
            while left > 0 and (data := await self._stderr.receive_some(_READ_BYTES)):
                left -= len(data)
                self._stderr_tail = (self._stderr_tail + bytes(data))[-STDERR_TAIL_BYTES:]

    @property
    def stderr_tail(self) -> str:
        """The end of the child's stderr, safe for a terminal; it may have several lines."""
        return plain_text(self._stderr_tail)

    def kill(self) -> None:
        """SIGKILL to the child and its process group, unless it is reaped already."""
        if self.ended is None:
            self._note_peak()
            self._exit.kill()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def cpu_seconds(self) -> float | None:
        """User and system CPU until now, also after the end; None if the process was reaped elsewhere."""
        return cpu_clock.cpu_seconds(self.pid) if self.ended is None else self.ended.cpu_seconds

    def resident_bytes(self) -> int:
        """Resident memory (RSS) now; 0 once the process has ended."""
        import psutil  # here, because most runs end before their first inspection

        try:
            resident = int(psutil.Process(self.pid).memory_info().rss)
        except (psutil.Error, OSError):  # the process has ended, or no descriptor is left
            return 0
        self._peak_rss_bytes = max(self._peak_rss_bytes, resident)
        return resident

    def _note_peak(self) -> None:
        # A process that has ended has no VmHWM; if nothing was read before, its peak stays 0 (unknown).
        with suppress(OSError):
            with open(f"/proc/{self.pid}/status", "rb") as file:
                found = _PEAK.search(file.read())
            if found:
                self._peak_rss_bytes = max(self._peak_rss_bytes, int(found[1]) * 1024)

    async def wait(self, grace_seconds: float) -> Ended | None:
        """Wait at most this long for the child's end, and reap it; None if it has not ended."""
        with trio.move_on_after(grace_seconds):
            await self._wait()
        return self.ended

    async def close(self, *, kill: bool) -> Ended:
        """End the child, reap it, close its pipes.

        Args:
            kill: at once; otherwise stdin is closed first and the child has `CLOSE_GRACE_SECONDS` to exit.
        """
        if self.ended is None:
            if not kill:
                self._note_peak()
                await self.stdin.aclose()
                await self.wait(CLOSE_GRACE_SECONDS)
            self.kill()
            if await self.wait(REAP_SECONDS) is None:
                self.ended = Ended("a SIGKILL without effect", None, 0.0, 0.0, self._peak_rss_bytes)
        for stream in (self.stdin, self.stdout, self._stderr):
            await stream.aclose()
        self._exit.close()
        assert self.ended is not None
        return self.ended

    async def _wait(self) -> None:
        if self.ended is None:
            await self._exit.wait()
            _end_group(self.pid)
            self.ended = _reap(self.pid, self._peak_rss_bytes)


class ExitWatch:
    """Waits for the end of a child of this process without reaping it, through a pidfd (pidfd_open(2)).

    Elsewhere than on Linux a thread waits.

    Raises:
        OSError: no descriptor is left.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1

    async def wait(self) -> None:
        """Return once the process has ended."""
        if self._descriptor >= 0:
            await trio.lowlevel.wait_readable(self._descriptor)
            return
        flags = os.WEXITED | os.WNOWAIT  # waitid(2) leaves a zombie with WNOWAIT, for wait4 to reap
        await trio.to_thread.run_sync(os.waitid, os.P_PID, self._pid, flags, abandon_on_cancel=True)

    def kill(self) -> None:
        """SIGKILL to the process alone, whichever group it is in; nothing if it has ended."""
        with suppress(ProcessLookupError):
            if self._descriptor >= 0:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            else:
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pidfd; nothing the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1  # the number may belong to another file from now on


def end_at_once(pid: int) -> None:
    """Kill and reap a child that has no workflow yet. This blocks until the kernel has ended it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _end_group(pid: int) -> None:
    """Kill the processes that an ended child, having no cage, has left in its group."""
    with suppress(ChildProcessError, ProcessLookupError, PermissionError):
        # Only while the child is a zombie: its pid, which is the group's id, is taken until it is reaped.
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            os.killpg(pid, signal.SIGKILL)


def _reap(pid: int, peak_rss_bytes: int) -> Ended:
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError:  # reaped by other code of this program, or by the kernel (SIGCHLD is ignored)
        return Ended(None, None, 0.0, 0.0, peak_rss_bytes)
    code = os.waitstatus_to_exitcode(status)
    return Ended(
        signal_name(-code) if code < 0 else None,
        code if code >= 0 else None,
        # getrusage(2) counts microseconds; as floats they would show binary fractions (0.032536999999999996).
        round(usage.ru_utime, 6),
        round(usage.ru_stime, 6),
        peak_rss_bytes,
    )
