"""Children that are forked from the product's own zygote, one for each process that runs tests.

Executing an interpreter for each of some thousand children takes most of a test run. What the zygote does
itself is tested in tests/process/test_zygote.py, with another one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO, Any

from flowcage.conformance.process import Program

_COMMAND = (sys.executable, "-I", "-m", "flowcage.child.zygote")
_DEADLINE_S = 120.0


class Zygote:
    """`flowcage.child.zygote`; what it forks are children of this process."""

    _at_work: Zygote | None = None

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_DEADLINE_S)
        with theirs:
            self._process = subprocess.Popen(
                (*_COMMAND, "--die-with", str(os.getpid())),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=theirs.fileno(),
                env={"TZ": "UTC0"},
                cwd="/",
                start_new_session=True,
            )
        self._expect(b"ready")

    @classmethod
    def at_work(cls) -> Zygote:
        """The one of this process, which is started when it is first needed."""
        if cls._at_work is None:
            cls._at_work = cls()
        return cls._at_work

    @classmethod
    def end(cls) -> None:
        """End it, where there is one: whoever counts processes or descriptors is to see none of it."""
        if cls._at_work is not None:
            zygote, cls._at_work = cls._at_work, None
            zygote._control.close()
            assert zygote._process.wait(_DEADLINE_S) == 0

    def fork(self, stdin: int, stdout: int, stderr: int) -> int:
        """The id of a new child with these descriptors."""
        socket.send_fds(self._control, [b"f"], [stdin, stdout, stderr])
        return int(self._expect(b""))

    def _expect(self, wanted: bytes) -> bytes:
        reply = self._control.recv(1024)
        assert reply == wanted if wanted else reply.isdigit(), reply
        return reply


class ForkedProcess:
    """A child of ours by the interface of `subprocess.Popen`."""

    def __init__(self) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        try:
            self.pid = Zygote.at_work().fork(theirs_in, theirs_out, theirs_err)
        finally:
            for descriptor in (theirs_in, theirs_out, theirs_err):
                os.close(descriptor)
        self.stdin: IO[bytes] | None = open(ours_in, "wb", 0)  # noqa: SIM115 - `Program.end` closes it
        self.stdout: IO[bytes] | None = open(ours_out, "rb", 0)  # noqa: SIM115
        self.stderr: IO[bytes] | None = open(ours_err, "rb", 0)  # noqa: SIM115
        self._status: int | None = None

    def poll(self) -> int | None:
        """As `subprocess.Popen`, like the others."""
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
            os.kill(self.pid, signal.SIGKILL)


class Forked(Program):
    """A `Program` that was not executed."""

    def _start(self, command: Sequence[str], **options: Any) -> ForkedProcess:  # noqa: ARG002
        return ForkedProcess()
