"""Commands that are forked, one after the other, from a process that has everything imported.

An import of all that ``flowcage run`` needs takes two thirds of its time. What it does at its start is tested
with the command itself, as is what signals and closed streams do to it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

PROGRAM = Path(__file__).with_name("warm_command.py")
_DEADLINE_S = 120.0


class Warm:
    """`warm_command.py`."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            command = (sys.executable, "-I", str(PROGRAM))
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL)

    def run(
        self, command: list[str], stdin: bytes, cwd: Path, deadline: float
    ) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run`."""
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = os.pipe(), os.pipe(), os.pipe()
        theirs = [their_in, their_out, their_err]
        try:
            pid = self._fork(command, cwd, theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        with ThreadPoolExecutor(3) as pool:
            pool.submit(_write, our_in, stdin)
            out, err = pool.submit(_read, our_out), pool.submit(_read, our_err)
            status = self._status(pid, deadline, command)
        return subprocess.CompletedProcess(command, status, out.result(), err.result())

    def end(self) -> None:
        """Have it leave."""
        self._control.close()
        assert self._process.wait(_DEADLINE_S) == 0

    def _fork(self, command: list[str], cwd: Path, descriptors: list[int]) -> int:
        request = {"words": command, "cwd": str(cwd), "env": dict(os.environ)}
        data = json.dumps(request).encode()
        self._control.settimeout(_DEADLINE_S)
        socket.send_fds(self._control, [len(data).to_bytes(8)], descriptors)
        self._control.sendall(data)
        return int.from_bytes(self._control.recv(8))

    def _status(self, pid: int, deadline: float, command: list[str]) -> int:
        self._control.settimeout(deadline)
        try:
            return int.from_bytes(self._control.recv(8), signed=True)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._control.settimeout(_DEADLINE_S)
            self._control.recv(8)
            raise subprocess.TimeoutExpired(command, deadline) from None


def _write(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb", 0) as pipe, suppress(BrokenPipeError):
        pipe.write(data)


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


_at_work: Warm | None = None


def at_work() -> Warm | None:
    """That of this process; None where commands are to be executed."""
    return _at_work


def have_one(wanted: bool) -> None:
    """Start one, or end it."""
    global _at_work
    if wanted and _at_work is None:
        _at_work = Warm()
    elif not wanted and _at_work is not None:
        _at_work.end()
        _at_work = None
