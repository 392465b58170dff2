"""A child's life seen from outside: its pipes, its end, and that it is always reaped."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from typing import NamedTuple

import trio

from flowcage.host.launch.spawn import Spawned

# stdin is closed first: a healthy child leaves at once. One that is busy is not worth waiting for.
CLOSE_GRACE_SECONDS = 0.5
STDERR_TAIL_BYTES = 8 * 1024
_READ_BYTES = 256 * 1024
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Ended(NamedTuple):
    """How a child ended, from wait4(2). Times in seconds, memory in bytes."""

    signal: str | None
    exit_code: int | None
    user_cpu_seconds: float
    system_cpu_seconds: float
    peak_rss_bytes: int


class ChildProcess:
    """One child. Use `close` in a shielded block on every way out: it always reaps."""

    def __init__(self, spawned: Spawned) -> None:
        self.pid = spawned.pid
        self.stdin = trio.lowlevel.FdStream(spawned.stdin)
        self.stdout = trio.lowlevel.FdStream(spawned.stdout)
        self._stderr = trio.lowlevel.FdStream(spawned.stderr)
        self._stderr_tail = b""
        self.ended: Ended | None = None

    async def read(self) -> bytes:
        """The next bytes of stdout; empty at its end."""
        return bytes(await self.stdout.receive_some(_READ_BYTES))

    async def collect_stderr(self) -> None:
        """Read stderr to its end, so that the child never blocks on it; keep the last of it."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await self._stderr.receive_some(_READ_BYTES):
                self._stderr_tail = (self._stderr_tail + bytes(data))[-STDERR_TAIL_BYTES:]

    @property
    def stderr_tail(self) -> str:
        """The last the child said, on one terminal-safe line or more."""
        return _ESCAPES.sub("", self._stderr_tail.decode("utf-8", "replace")).strip()

    def kill(self) -> None:
        """SIGKILL to the child's process group, unless it is reaped already."""
        if self.ended is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def wait_until_gone(self) -> None:
        """Return when the process has ended; it is left to be reaped."""
        await _wait_for_exit(self.pid)

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
            await self.stdin.aclose()
            if kill:
                self.kill()
            else:
                await self.wait(CLOSE_GRACE_SECONDS)
                self.kill()
            await self._wait()
        for stream in (self.stdin, self.stdout, self._stderr):
            await stream.aclose()
        assert self.ended is not None
        return self.ended

    async def _wait(self) -> None:
        if self.ended is None:
            await _wait_for_exit(self.pid)
            self.ended = _reap(self.pid)


async def _wait_for_exit(pid: int) -> None:
    """Return once the process has ended; it is left to be reaped."""
    if not hasattr(os, "pidfd_open"):  # not Linux
        flags = os.WEXITED | os.WNOWAIT
        await trio.to_thread.run_sync(os.waitid, os.P_PID, pid, flags, abandon_on_cancel=True)
        return
    descriptor = os.pidfd_open(pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


def _reap(pid: int) -> Ended:
    _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return Ended(
        signal.Signals(-code).name if code < 0 else None,
        code if code >= 0 else None,
        usage.ru_utime,
        usage.ru_stime,
        usage.ru_maxrss * 1024,
    )
