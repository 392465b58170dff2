"""One zygote process, seen from the host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psutil
import trio

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process import machine_memory
from flowcage.host.process.launch.launcher import CHILD_ENVIRONMENT
from flowcage.protocol.terms import Terms

_COMMAND = (sys.executable, "-I", "-m", "flowcage.child.zygote")
# Loading everything takes a tenth of a second; a machine that is busy may need many times as long.
_START_SECONDS = 30.0
# A fork takes a millisecond. A zygote that needs longer is stopped or stuck.
_FORK_SECONDS = 10.0
_REAP_SECONDS = 10.0
_MAX_REPLY_BYTES = 1024


class Lost(Exception):
    """The process ended, or does not do its work; the message says what is known."""


class Warm:
    """A zygote. `end` it in every case.

    Attributes:
        forks: how many children came of it.
        private_bytes: memory of its own, once it is ready.

    Args:
        terms: of the peers of all its children, where they are not this program's own.

    Raises:
        LaunchFailed: it cannot be started.
    """

    def __init__(self, terms: Terms | None = None) -> None:
        self.forks = 0
        self.private_bytes = 0
        self._is_ready = False
        self._children: set[int] = set()
        try:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise LaunchFailed(f"no zygote could be started: {error}") from error
        with theirs:
            try:
                process = subprocess.Popen(
                    (*_COMMAND, "--die-with", str(os.getpid()), *_of(terms)),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=theirs.fileno(),  # so that its last words come as a reply
                    env=CHILD_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                control.close()
                raise LaunchFailed(f"no zygote could be started: {error}") from error
        process.returncode = 0  # reaped here; Popen must neither wait nor warn
        self._pid: int | None = process.pid
        self._group = process.pid
        self._control = trio.socket.from_stdlib_socket(control)

    async def wait_ready(self) -> None:
        """Return once everything is loaded.

        Raises:
            Lost: it will not be.
        """
        if not self._is_ready:
            with trio.move_on_after(_START_SECONDS):
                reply = await self._receive()
                if reply != b"ready":
                    raise Lost(_text(reply))
                self._is_ready = True
        if not self._is_ready:
            raise Lost(f"it did not load in {_START_SECONDS:g} s")
        if not self.private_bytes:
            with suppress(OSError):  # no descriptor is left: the next child may be luckier
                self.private_bytes = machine_memory.private_bytes(self._group)

    async def fork(self, descriptors: tuple[int, int, int]) -> int:
        """Fork one child with these as its stdin, stdout and stderr; its process id.

        Raises:
            Lost: end this process and take another one.
            LaunchFailed: the kernel refused a fork.
        """
        reply = b""
        # Not to be cancelled: a child that was forked must become known.
        with trio.move_on_after(_FORK_SECONDS, shield=True):
            reply = await self._ask(descriptors)
        if not reply:
            raise Lost(f"it did not fork in {_FORK_SECONDS:g} s")
        if reply.startswith(b"-"):
            raise LaunchFailed(f"no child could be forked: {_text(reply[1:])}")
        if not reply.isdigit():
            raise Lost(_text(reply))
        self.forks += 1
        self._children.add(int(reply))
        return int(reply)

    async def _ask(self, descriptors: tuple[int, int, int]) -> bytes:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))
        try:
            await self._control.sendmsg([b"f"], [rights])
        except OSError as error:
            raise Lost(f"it is gone: {error.strerror}") from None
        return await self._receive()

    async def _receive(self) -> bytes:
        try:
            reply = await self._control.recv(_MAX_REPLY_BYTES)
        except OSError as error:
            raise Lost(f"it is gone: {error.strerror}") from None
        if not reply:
            raise Lost("it ended")
        return bytes(reply)

    def leave(self) -> None:
        """Have it end by itself: nobody will ask it again."""
        self._control.close()

    def is_gone(self) -> bool:
        """Reap it if it has ended; never waits."""
        if self._pid is not None and _reap(self._pid):
            self._pid = None
        return self._pid is None

    async def end(self) -> None:
        """Kill it, reap it, and end children that it forked without having told of them."""
        self.leave()
        if self._pid is not None:
            _kill(self._pid)
        await _until(self.is_gone)
        for stray in self._strays():
            _kill(stray)
            await _until(partial(_reap, stray))

    def _strays(self) -> list[int]:
        """Children of ours that are in its group, where only it can have put them, and nobody knows."""
        ours = (process.pid for process in psutil.Process().children())
        return [pid for pid in ours if pid not in self._children and os.getpgid(pid) == self._group]


def _of(terms: Terms | None) -> tuple[str, ...]:
    return () if terms is None else ("--terms", terms.to_argument())


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # somebody else in this process reaped it, or SIGCHLD is ignored
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> bool:
    """Reap a child if it has ended, and say whether it is gone; never waits."""
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # somebody else in this process reaped it, or SIGCHLD is ignored
        return True


async def _until(is_gone: Callable[[], bool]) -> None:
    """Wait for a killed process: nothing outlives SIGKILL for long, but one that is stuck in the kernel."""
    with trio.move_on_after(_REAP_SECONDS):
        while not is_gone():  # noqa: ASYNC110 - it may be somebody's whose end we are not told of
            await trio.sleep(0.001)


def _text(reply: bytes) -> str:
    return reply.decode("utf-8", "replace").strip()
