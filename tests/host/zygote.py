"""The product's own zygote for tests that start children by the hundred, one for each pytest process.

Executing an interpreter for each child took more than half of a test run. What the zygote does itself is
tested in tests/process/test_zygote.py, with another one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple

from flowcage._child_command import child_command
from flowcage.conformance.process import Program
from flowcage.host.process.launch import switches
from flowcage.host.process.launch.launcher import close_all
from flowcage.host.process.machine_memory import private_bytes

COMMAND = child_command("flowcage.child.zygote", "flowcage.child.zygote")
_DEADLINE_S = 120.0


class Child(NamedTuple):
    """A child of this process, which reaps it, and our ends of its pipes."""

    pid: int
    stdin: int
    stdout: int
    stderr: int


class Zygote:
    """`flowcage.child.zygote`; what it forks are children of this process.

    Args:
        command: what starts it.
        options: more for its command line.

    Attributes:
        private_bytes: memory that its children share with it.
    """

    def __init__(self, command: Sequence[str] = COMMAND, *options: str) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_DEADLINE_S)
        with theirs:
            self._process = subprocess.Popen(
                (*command, "--die-with", str(os.getpid()), *options),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=theirs.fileno(),
                env={"TZ": "UTC0", "LD_BIND_NOW": "1"},
                cwd="/",
                start_new_session=True,
            )
        said = self._control.recv(1024)
        assert said == b"ready", said
        self.private_bytes = private_bytes(self._process.pid)

    def fork(self, line: bytes = b"") -> Child:
        """A new child that nobody has spoken to, or one that answers this first message."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        try:
            socket.send_fds(self._control, [b"f" + line], [theirs_in, theirs_out, theirs_err])
            said = self._control.recv(1024)
            assert said.isdigit(), said
        except BaseException:
            close_all((ours_in, ours_out, ours_err))
            raise
        finally:
            close_all((theirs_in, theirs_out, theirs_err))
        return Child(int(said), ours_in, ours_out, ours_err)

    def end(self) -> None:
        """Have it leave."""
        self._control.close()
        self._process.wait(_DEADLINE_S)


_at_work: Zygote | None = None


def at_work() -> Zygote | None:
    """That of this process; None where children are to be executed."""
    return _at_work


def have_one(wanted: bool) -> None:
    """Start one, or end it: tests that count processes and descriptors are to see none of it."""
    global _at_work
    if wanted and _at_work is None:
        _at_work = Zygote(COMMAND, *switches.zygote_options(), *switches.child_options())
    elif not wanted and _at_work is not None:
        _at_work.end()
        _at_work = None


class _Process:
    """A forked child by the interface of `subprocess.Popen`."""

    def __init__(self, child: Child) -> None:
        self.pid = child.pid
        self.stdin: IO[bytes] | None = open(child.stdin, "wb", 0)  # noqa: SIM115 - `Program.end` closes them
        self.stdout: IO[bytes] | None = open(child.stdout, "rb", 0)  # noqa: SIM115
        self.stderr: IO[bytes] | None = open(child.stderr, "rb", 0)  # noqa: SIM115
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (_DEADLINE_S if timeout is None else timeout)
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a forked child", deadline)
            time.sleep(0.001)
        return status

    def kill(self) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Forked(Program):
    """A `Program` that was forked in place of its command."""

    def _start(self, command: Sequence[str], **options: Any) -> _Process:  # noqa: ARG002
        zygote = at_work()
        assert zygote is not None
        return _Process(zygote.fork())


class Answering(Program):
    """A `Program` that answers a first message which it is not sent.

    Args:
        zygote: to fork it from.
        message: the line of the message.
        timeout: seconds for one exchange.
    """

    def __init__(self, zygote: Zygote, message: bytes, timeout: float) -> None:
        self._child = zygote.fork(message)
        super().__init__((), timeout)

    def _start(self, command: Sequence[str], **options: Any) -> _Process:  # noqa: ARG002
        return _Process(self._child)
