"""One zygote process, seen from the host: started, asked to fork, ended, and its unknown children found.

`Zygote` is the only user and holds its lock around `wait_ready` and `fork`. Requests and replies are
datagrams of a SOCK_SEQPACKET pair. A request is one byte with three descriptors, and behind the byte the
first message to the child, if there is one. A reply is a pid, or ``-`` and an error; the first datagram is
``ready``. The zygote's stderr is the same socket, so a traceback arrives as a reply that is not a number.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psutil
import trio

from flowcage._child_command import child_command
from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process import machine_memory
from flowcage.host.process.launch.launcher import CHILD_ENVIRONMENT, not_launched

_COMMAND = child_command("flowcage.child.zygote", "flowcage.child.zygote")
# Children find all symbols of libraries bound, each of which they would look up on pages of their own.
_ENVIRONMENT = CHILD_ENVIRONMENT | {"LD_BIND_NOW": "1"}
# Loading takes a tenth of a second on an idle machine.
_START_SECONDS = 30.0
# A fork takes a millisecond; a zygote that takes this long is stopped or stuck.
_FORK_SECONDS = 10.0
# After SIGKILL, which only a process in uninterruptible sleep (state D) survives for a while.
_REAP_SECONDS = 10.0
_MAX_REPLY_BYTES = 1024


class ZygoteLost(Exception):
    """The zygote has ended or does not answer, as the message says; `end` it and fork from another."""


class ZygoteProcess:
    """A zygote. Call `end` on every way out, or `leave` and `is_gone` until that is true.

    Attributes:
        forks: children that were forked from it.
        private_bytes: its own memory once it has loaded, which every child inherits; 0 before.

    Args:
        options: the end of its command line.

    Raises:
        LaunchFailed: the process cannot be started.
    """

    def __init__(self, *options: str) -> None:
        self.forks = 0
        self.private_bytes = 0
        self._is_ready = False
        self._children: set[int] = set()
        try:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise not_launched("no zygote could be started", error) from error
        with theirs:
            try:
                process = subprocess.Popen(
                    (*_COMMAND, "--die-with", str(os.getpid()), *options),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=theirs.fileno(),  # a traceback arrives as a reply and becomes the message
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                control.close()
                raise not_launched("no zygote could be started", error) from error
        process.returncode = 0  # `is_gone` reaps it; with this, Popen neither waits nor warns
        self._pid: int | None = process.pid
        self._session = process.pid
        control.setblocking(False)
        self._control = control

    async def wait_ready(self) -> None:
        """Return once everything is loaded.

        Raises:
            ZygoteLost: the process ended, wrote an error, or did not load in time.
        """
        if not self._is_ready:
            with trio.move_on_after(_START_SECONDS):
                reply = await self._receive()
                if reply != b"ready":
                    raise ZygoteLost(_text(reply))
                self._is_ready = True
        if not self._is_ready:
            raise ZygoteLost(f"the zygote did not load in {_START_SECONDS:g} s")
        if not self.private_bytes:
            with suppress(OSError):  # no descriptor is left; tried again before the next fork
                self.private_bytes = machine_memory.private_bytes(self._session)

    async def fork(self, descriptors: tuple[int, int, int], line: bytes = b"") -> int:
        """Fork one child with these as its stdin, stdout and stderr, and return its process id.

        Args:
            descriptors: those of the child; the caller closes its own copies.
            line: the `initialize` request, which the child answers without reading it from stdin; empty where
                it is to be sent by stdin.

        Raises:
            ZygoteLost: the zygote ended, wrote an error, or did not answer in time.
            LaunchFailed: the kernel refused the fork.
        """
        reply = b""
        # Shielded: cancelled between request and reply, it would leave a child whose pid is unknown.
        with trio.move_on_after(_FORK_SECONDS, shield=True):
            reply = await self._ask(descriptors, line)
        if not reply:
            raise ZygoteLost(f"the zygote did not fork in {_FORK_SECONDS:g} s")
        if reply.startswith(b"-"):
            raise LaunchFailed(f"no child could be forked: {_text(reply[1:])}")
        if not reply.isdigit():
            raise ZygoteLost(_text(reply))
        self.forks += 1
        self._children.add(int(reply))
        return int(reply)

    async def _ask(self, descriptors: tuple[int, int, int], line: bytes) -> bytes:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))
        try:
            self._control.sendmsg([b"f" + line], [rights])  # there is room: only one is under way
        except OSError as error:
            raise ZygoteLost(f"the zygote has ended: {error.strerror}") from None
        return await self._receive()

    async def _receive(self) -> bytes:
        await trio.lowlevel.wait_readable(self._control)  # first: a reply is never there yet
        try:
            reply = self._control.recv(_MAX_REPLY_BYTES)
        except OSError as error:
            raise ZygoteLost(f"the zygote has ended: {error.strerror}") from None
        if not reply:
            raise ZygoteLost("the zygote has ended")
        return reply

    def leave(self) -> None:
        """Close the socket, at whose end the process exits. Nothing can be forked from it afterwards."""
        self._control.close()

    def is_gone(self) -> bool:
        """Whether the process has ended, and is reaped now; never waits."""
        if self._pid is not None and _reap(self._pid):
            self._pid = None
        return self._pid is None

    async def end(self) -> None:
        """Kill and reap the process, and the children that it forked without reporting their pid."""
        self.leave()
        if self._pid is not None:
            _kill(self._pid)
        await _until(self.is_gone)
        for stray in self._strays():
            _kill(stray)
            await _until(partial(_reap, stray))

    def _strays(self) -> list[int]:
        """Children of this process that are in the zygote's session and were not reported by it.

        A child stays in that session, and nothing else of the host's is in it. Its process group it leaves as
        it closes its cage, which one that was given its first message does at once.
        """
        try:
            ours = [process.pid for process in psutil.Process().children()]
        except (psutil.Error, OSError):  # there is no /proc, so no child has its cage confirmed or begins
            return []
        return [pid for pid in ours if pid not in self._children and _session_of(pid) == self._session]


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:  # reaped by other code, or by the kernel (SIGCHLD is ignored)
        return -1


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # reaped by other code, or by the kernel (SIGCHLD is ignored)
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> bool:
    """Reap a child if it has ended, and return whether it had; never waits."""
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # reaped by other code, or by the kernel (SIGCHLD is ignored)
        return True


async def _until(is_gone: Callable[[], bool]) -> None:
    """Wait for the end of a killed process, `_REAP_SECONDS` at most.

    By polling, because there may be no descriptor left for a pidfd.
    """
    with trio.move_on_after(_REAP_SECONDS):
        while not is_gone():  # noqa: ASYNC110 - as the docstring says
            await trio.sleep(0.001)


def _text(reply: bytes) -> str:
    return reply.decode("utf-8", "replace").strip()
