"""One process from outside: its pipes, its end, and its reaping.

`Child` in supervisor.py makes a `ChildProcess` from what a launcher returned and calls `close` on every way
out; `agents.schema.checker` does the same for its process.

Invariants:

- The pid is the child's until it is reaped. The process stays a zombie from its end to wait4(2), so neither
  the pid nor the id of its process group can belong to another process in between. Every signal is sent
  before that: `kill` does nothing once `ended` is set, and `_wait` kills the group first and reaps then. The
  other way round the group's id could be another's by the time of killpg(2).
- The pidfd is opened before anything else. If that fails, the process is killed and reaped and its pipes are
  closed (`reaping.prepared`), because the caller gets no object to close.
- wait4(2) is called once, by the one task that calls `wait` and `close`; its figures go into `ended`, and the
  verdict rests on them. If SIGCHLD is inherited as ignored, the kernel reaps children and wait4 finds none;
  so it is if other code of the program waits for them. The run then ends with figures of 0 and an unknown
  end.
- The peak of memory of an executed child is VmHWM from /proc, read while the process lives: the figure of
  wait4(2) survives exec(2), so it would be the size of the host. It is noted before SIGKILL and before stdin
  is closed. A fork begins with a figure of its own, so for a forked child wait4(2) tells.
- `close` ends in bounded time: `CLOSE_GRACE_SECONDS` if the child may leave by itself, then SIGKILL, then
  `REAP_SECONDS` for a process that is stuck in the kernel. It is shielded from cancellation, and goes on
  where it was when it is called again: an interrupt would otherwise leave a zombie and three descriptors
  (tests/run/test_faults_of_the_host.py interrupts the end of a run).
- The pipes are closed when the tasks that wait for them have ended, so trio need not be told.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress

import trio

from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.measured import Ended
from flowcage.host.process import cpu_clock, machine_memory
from flowcage.host.process.launch.launcher import Spawned, close_all
from flowcage.host.process.reaping import ExitWatch, end_group, is_zombie, prepared, signal_name
from flowcage.host.process.stderr import Stderr
from flowcage.host.terminal.text import plain_text

# After stdin was closed. An idle child exits within milliseconds; one that is busy is killed.
CLOSE_GRACE_SECONDS = 0.5
# After SIGKILL, which only a process in uninterruptible sleep (state D) survives for a while.
REAP_SECONDS = 10.0
_READ_BYTES = 64 * 1024
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


class ChildGone(RunError):
    """The child closed its stdout or has ended. `Child.run` replaces this by the error that says how."""


class ChildProcess:
    """A child and its three pipes. Call `close` on every way out.

    Args:
        spawned: what the launcher returned; its descriptors are closed with this.

    Attributes:
        pid: of the child.
        inherited_bytes: as in `Spawned`.
        is_caged: whether the kernel has confirmed its cage; set by its user.
        ended: how the child ended; None until it is reaped.

    Raises:
        OSError: no descriptor is left for a pidfd; the child is reaped and its descriptors are closed.
    """

    def __init__(self, spawned: Spawned) -> None:
        self.pid = spawned.pid
        self.inherited_bytes = spawned.inherited_bytes
        self._peak_rss_bytes = 0
        spawned = prepared(spawned)
        self._stdin, self._stdout = spawned.stdin, spawned.stdout
        self._ends: tuple[int, ...] = (spawned.stdout, spawned.stderr)  # that nobody closes before `close`
        self._stderr = Stderr(spawned.stderr)
        self._exit = ExitWatch(self.pid, spawned.pidfd)
        self._is_killed = False
        self.is_caged = False
        self.ended: Ended | None = None

    async def read(self) -> bytes:
        """The next bytes of stdout; empty at its end."""
        while True:
            await trio.lowlevel.wait_readable(self._stdout)  # first: most replies are not there yet
            try:
                return os.read(self._stdout, _READ_BYTES)
            except BlockingIOError:
                continue

    def write_nowait(self, data: bytes | memoryview) -> int:
        """Write what fits into stdin's pipe now, and return how many bytes that was."""
        try:
            return os.write(self._stdin, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:  # that the child has gone is seen at the end of its stdout
            return len(data)

    async def write(self, data: bytes) -> None:
        """Write all of it to stdin, or as much as the child takes before it closes the pipe or ends."""
        left = memoryview(data)
        while left := left[self.write_nowait(left) :]:
            await trio.lowlevel.wait_writable(self._stdin)

    def close_stdin(self) -> None:
        """Nothing more is to come; nothing the second time."""
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1

    def take_stderr(self) -> bool:
        """As `Stderr.take`."""
        return self._stderr.take()

    async def collect_stderr(self) -> None:
        """As `Stderr.collect`."""
        await self._stderr.collect()

    @property
    def stderr_tail(self) -> str:
        """The end of the child's stderr, safe for a terminal; it may have several lines."""
        return plain_text(self._stderr.tail) if self._stderr.tail else ""

    def kill(self) -> None:
        """SIGKILL to the child and its process group, unless it is reaped already."""
        if self.ended is None and not self._is_killed:
            self._note_peak()
            self._exit.kill()
            if not (self.is_caged and self.inherited_bytes):  # a caged fork is alone in its group
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
            self._is_killed = True

    def cpu_seconds(self) -> float | None:
        """User and system CPU until now, also after the end; None if the process was reaped elsewhere."""
        return cpu_clock.cpu_seconds(self.pid) if self.ended is None else self.ended.cpu_seconds

    def resident_bytes(self) -> int:
        """Resident memory (RSS) now; 0 once the process has ended."""
        try:
            resident = machine_memory.resident_bytes(self.pid)
        except OSError:  # no descriptor is left
            return 0
        self._peak_rss_bytes = max(self._peak_rss_bytes, resident)
        return resident

    def _note_peak(self) -> None:
        if self.inherited_bytes:  # forked: wait4(2) tells
            return
        # A process that has ended has no VmHWM; if nothing was read before, its peak stays 0 (unknown).
        with suppress(OSError):
            with open(f"/proc/{self.pid}/status", "rb") as file:
                found = _PEAK.search(file.read())
            if found:
                self._peak_rss_bytes = max(self._peak_rss_bytes, int(found[1]) * 1024)

    def has_ended(self) -> bool:
        """Whether the process has ended, reaped or not."""
        return self.ended is not None or is_zombie(self.pid) is not False

    async def wait(self, grace_seconds: float, *, shield: bool = False) -> Ended | None:
        """Wait at most this long for the child's end, and reap it; None if it has not ended."""
        if self.ended is None:
            with trio.move_on_after(grace_seconds, shield=shield):
                await self._exit.wait()
                self._reap()
        return self.ended

    async def close(self, *, kill: bool) -> Ended:
        """End the child, reap it, close its pipes. What interrupted it may call it again.

        Args:
            kill: at once; otherwise stdin is closed first and the child has `CLOSE_GRACE_SECONDS` to exit.
        """
        if not kill and self.ended is None:
            self._note_peak()
            self.close_stdin()
            await self.wait(CLOSE_GRACE_SECONDS, shield=True)
        self.kill()
        if await self.wait(REAP_SECONDS, shield=True) is None:
            self.ended = Ended("a SIGKILL without effect", None, 0.0, 0.0, self._peak_rss_bytes)
        self._close_descriptors()
        assert self.ended is not None
        return self.ended

    def _close_descriptors(self) -> None:
        self.close_stdin()
        ends, self._ends = self._ends, ()
        close_all(ends)
        self._exit.close()

    def _reap(self) -> None:
        self._stderr.take_rest()
        if not self._is_killed:  # then its group was killed with it
            end_group(self.pid)
        try:
            _, status, usage = os.wait4(self.pid, 0)
        except ChildProcessError:  # reaped by other code of this program, or by the kernel (SIGCHLD ignored)
            self.ended = Ended(None, None, 0.0, 0.0, self._peak_rss_bytes)
            return
        code = os.waitstatus_to_exitcode(status)
        self.ended = Ended(
            signal_name(-code) if code < 0 else None,
            code if code >= 0 else None,
            # getrusage(2) counts microseconds; as floats they would show binary fractions
            # (0.032536999999999996).
            round(usage.ru_utime, 6),
            round(usage.ru_stime, 6),
            usage.ru_maxrss * 1024 if self.inherited_bytes else self._peak_rss_bytes,
        )
