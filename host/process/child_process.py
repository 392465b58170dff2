"""A child's life seen from outside: its pipes, its end, and that it is always reaped."""

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

# stdin is closed first: a healthy child leaves at once. One that is busy is not worth waiting for.
CLOSE_GRACE_SECONDS = 0.5
# SIGKILL takes effect at once, except on a process that is stuck in the kernel.
REAP_SECONDS = 10.0
STDERR_TAIL_BYTES = 8 * 1024
MAX_STDERR_BYTES = 16 * 1024 * 1024
_READ_BYTES = 64 * 1024
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


class ChildProcess:
    """One child. Use `close` in a shielded block on every way out: it always reaps."""

    def __init__(self, spawned: Spawned) -> None:
        self.pid = spawned.pid
        self.inherited_bytes = spawned.inherited_bytes
        self._peak_rss_bytes = 0
        try:
            self._exit = ExitWatch(self.pid)
        except OSError:  # no descriptor left: the child must not outlive our interest in it
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
        """Write as much to stdin as it takes without waiting; how many bytes that was."""
        try:
            return os.write(self.stdin.fileno(), data)
        except (BlockingIOError, BrokenPipeError):  # who is gone is found out by its stdout
            return 0

    async def collect_stderr(self) -> None:
        """Read stderr, so that a child in its right mind never blocks on it; keep the last of it."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            left = MAX_STDERR_BYTES
            # Past that a child blocks on its own pipe: reading costs the host more than writing costs it.
            while left > 0 and (data := await self._stderr.receive_some(_READ_BYTES)):
                left -= len(data)
                self._stderr_tail = (self._stderr_tail + bytes(data))[-STDERR_TAIL_BYTES:]

    @property
    def stderr_tail(self) -> str:
        """The last the child said, on one terminal-safe line or more."""
        return plain_text(self._stderr_tail)

    def kill(self) -> None:
        """SIGKILL to the child and its process group, unless it is reaped already."""
        if self.ended is None:
            self._note_peak()
            self._exit.kill()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def cpu_seconds(self) -> float | None:
        """CPU that it has used by now; None where nobody can tell."""
        return cpu_clock.cpu_seconds(self.pid) if self.ended is None else self.ended.cpu_seconds

    def resident_bytes(self) -> int:
        """Memory that it has resident now; 0 once it has ended."""
        import psutil  # most runs end before anybody asks

        try:
            resident = int(psutil.Process(self.pid).memory_info().rss)
        except (psutil.Error, OSError):  # it is gone, or no descriptor is left
            return 0
        self._peak_rss_bytes = max(self._peak_rss_bytes, resident)
        return resident

    def _note_peak(self) -> None:
        # wait4's figure survives exec(2): a child would seem as large as the host that started it. A process
        # that has ended has no VmHWM any more, and its peak stays unknown, 0.
        with suppress(OSError):
            with open(f"/proc/{self.pid}/status", "rb") as file:
                found = _PEAK.search(file.read())
            if found:
                self._peak_rss_bytes = max(self._peak_rss_bytes, int(found[1]) * 1024)

    async def wait_until_gone(self) -> None:
        """Return when the process has ended; it is left to be reaped."""
        await self._exit.wait()

    async def wait(self, grace_seconds: float) -> Ended | None:
        """Wait for the child to end by itself; None if it did not."""
        with trio.move_on_after(grace_seconds):
            await self._wait()
        return self.ended

    async def close(self, *, kill: bool) -> Ended:
        """End the child and reap it.

        Args:
            kill: at once; otherwise its stdin is closed first and it has `CLOSE_GRACE_SECONDS` to leave.
        """
        if self.ended is None:
            if not kill:
                self._note_peak()
                await self.stdin.aclose()
                await self.wait(CLOSE_GRACE_SECONDS)
            self.kill()
            if await self.wait(REAP_SECONDS) is None:
                self.ended = Ended("a SIGKILL to no effect", None, 0.0, 0.0, self._peak_rss_bytes)
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
    """Tells when a process has ended, through a pidfd (pidfd_open(2)); it is left to be reaped.

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
        flags = os.WEXITED | os.WNOWAIT  # not Linux
        await trio.to_thread.run_sync(os.waitid, os.P_PID, self._pid, flags, abandon_on_cancel=True)

    def kill(self) -> None:
        """SIGKILL to this very process, which may be in a group that is not its own."""
        with suppress(ProcessLookupError):
            if self._descriptor >= 0:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            else:
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def end_at_once(pid: int) -> None:
    """Kill and reap a child that runs nobody's code, which takes no longer than the kernel does."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _end_group(pid: int) -> None:
    """End whomever a child without a cage left behind in its group, whose id is safe while it is a zombie."""
    with suppress(ChildProcessError, ProcessLookupError, PermissionError):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            os.killpg(pid, signal.SIGKILL)


def _reap(pid: int, peak_rss_bytes: int) -> Ended:
    try:
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError:  # somebody else in this process reaped it, or SIGCHLD is ignored
        return Ended(None, None, 0.0, 0.0, peak_rss_bytes)
    code = os.waitstatus_to_exitcode(status)
    return Ended(
        signal_name(-code) if code < 0 else None,
        code if code >= 0 else None,
        # getrusage(2) counts microseconds; as a sum of seconds and a fraction they end in noise.
        round(usage.ru_utime, 6),
        round(usage.ru_stime, 6),
        peak_rss_bytes,
    )
