"""The end of a child: seen without reaping it, brought about, and what the process has left behind.

For those who have more than pids to look after, `ChildProcess` puts it together; the reserve's spares and the
connections of `serve` use it as it is.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from functools import cache

import trio

from flowcage.host.process.launch.launcher import Spawned, close_all


class ExitWatch:
    """Waits for the end of a child of this process without reaping it, through a pidfd (pidfd_open(2)).

    Elsewhere than on Linux a thread waits.

    Args:
        pid: of the child.
        descriptor: its pidfd, which is closed with this; -1 to open one.

    Raises:
        OSError: no descriptor is left.
    """

    def __init__(self, pid: int, descriptor: int = -1) -> None:
        self._pid = pid
        self._descriptor = descriptor if descriptor >= 0 else pidfd_of(pid)

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


def prepared(spawned: Spawned) -> Spawned:
    """A child with its pidfd, and our ends of its pipes in non-blocking mode; itself where that is done.

    Raises:
        OSError: no descriptor is left for a pidfd; the child is reaped and its descriptors are closed.
    """
    if spawned.pidfd >= 0:
        return spawned
    pipes = (spawned.stdin, spawned.stdout, spawned.stderr)
    try:
        pidfd = pidfd_of(spawned.pid)
    except OSError:  # nobody but the caller would reap the child
        end_at_once(spawned.pid)
        close_all(pipes)
        raise
    for descriptor in pipes:
        os.set_blocking(descriptor, False)
    return spawned._replace(pidfd=pidfd)


def pidfd_of(pid: int) -> int:
    return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1


def end_spawned(spawned: Spawned) -> None:
    """End and reap a child that has no workflow yet, as `end_at_once`, and close its descriptors."""
    end_at_once(spawned.pid, spawned.pidfd)
    close_all((spawned.stdin, spawned.stdout, spawned.stderr))
    if spawned.pidfd >= 0:
        os.close(spawned.pidfd)


def end_at_once(pid: int, pidfd: int = -1) -> None:
    """Kill and reap a child that has no workflow yet. This blocks until the kernel has ended it.

    By its pidfd, where it has one: a spare waits for long, and if it was reaped meanwhile, by other code of
    this program or by the kernel (SIGCHLD ignored), its pid can be that of any other process.
    """
    try:
        if pidfd >= 0:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # reaped: a zombie can be sent signals
        return
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def is_zombie(pid: int) -> bool | None:
    """Whether a child has ended and is still to be reaped; None if it is reaped.

    That may be by other code of this program, or by the kernel, where SIGCHLD is ignored.
    """
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return None


def end_group(pid: int) -> None:
    """Kill the processes that an ended child, having no cage, has left in its group."""
    if is_zombie(pid):  # until it is reaped its pid, which is the group's id, is taken
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


@cache
def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 40`` for a real-time signal, which has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
