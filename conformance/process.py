"""A program under test: its pipes with deadlines, and its end.

The program is not trusted: every wait has a deadline, what is kept of its output is bounded, and it is killed
with its whole process group and reaped on every way out.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, Protocol

from flowcage.conformance.check import Deviation, shown

MAX_HELD_BYTES = 64 * 1024 * 1024
STDERR_TAIL_BYTES = 4096
REAP_SECONDS = 10.0
_READ_BYTES = 1 << 18


class CannotStart(Exception):
    """The program does not exist or cannot be executed."""


class Process(Protocol):
    """What is used of a `subprocess.Popen` with three pipes."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...


class Program:
    """One process in a session of its own, with pipes to its three streams. Call `end` on every way out.

    Args:
        command: program and arguments.
        timeout: seconds for one exchange.
        options: further arguments of `subprocess.Popen`, such as ``env``.

    Attributes:
        stdout: bytes of stdout that were read and not returned yet.
        stderr: the end of stderr, `STDERR_TAIL_BYTES` at most.

    Raises:
        CannotStart: the program does not exist or cannot be executed.
    """

    def __init__(self, command: Sequence[str], timeout: float, **options: Any) -> None:
        self.timeout = timeout
        try:
            self._process = self._start(command, **options)
        except OSError as error:
            raise CannotStart(f"{command[0]}: {error.strerror}") from None
        self.pid = self._process.pid
        self.stdout = bytearray()
        self.stderr = b""
        self._lines = 0
        self._outgoing = memoryview(b"")
        self._selector = selectors.DefaultSelector()
        for pipe, read in (
            (self._process.stdout, self._take_stdout),
            (self._process.stderr, self._take_stderr),
        ):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, read)
        assert self._process.stdin is not None
        self._stdin = self._process.stdin
        os.set_blocking(self._stdin.fileno(), False)
        self.stdout_ended = self._flooded = False

    def _start(self, command: Sequence[str], **options: Any) -> Process:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **{"start_new_session": True, **options},
        )

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None before it has ended."""
        return self._process.poll()

    def send(self, data: bytes) -> None:
        """Write to its stdin, and read its output meanwhile. A program that has ended is not an error here.

        Raises:
            Deviation: it has not read all within the timeout.
        """
        if self._stdin.closed:
            return
        self._outgoing = memoryview(data)
        self._selector.register(self._stdin, selectors.EVENT_WRITE, self._write)
        if not self._pump(lambda: not self._outgoing):
            raise Deviation(f"it did not read its stdin for {self.timeout:g} s")

    def close_stdin(self) -> None:
        """Close its stdin."""
        self._stdin.close()

    def read_line(self) -> bytes | None:
        """The next line of stdout without its newline; None where stdout ended first.

        Raises:
            Deviation: neither came within the timeout.
        """
        if not self._pump(lambda: self._lines > 0 or self.stdout_ended):
            raise Deviation(f"no answer within {self.timeout:g} s")
        if not self._lines:
            self._refuse_flood()
            return None
        line, _, rest = bytes(self.stdout).partition(b"\n")
        self.stdout = bytearray(rest)
        self._lines -= 1
        return line

    def read_lines(self) -> list[bytes]:
        """Wait for a line of stdout, and return all lines that are there then.

        Raises:
            Deviation: no line came within the timeout, or stdout has ended without one.
        """
        first = self.read_line()
        if first is None:
            raise Deviation("stdout ended without a line")
        lines = [first]
        while self._lines:
            lines.append(self.read_line() or b"")
        return lines

    def read_to_end(self) -> bytes:
        """The rest of stdout.

        Raises:
            Deviation: stdout does not end within the timeout.
        """
        if not self._pump(lambda: self.stdout_ended):
            raise Deviation(f"its stdout did not end within {self.timeout:g} s")
        self._refuse_flood()
        said, self.stdout, self._lines = bytes(self.stdout), bytearray(), 0
        return said

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, and read its output meanwhile.

        Returns:
            The exit status; None where it has not ended in time.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while self.status is None and time.monotonic() < deadline:
            self._step(0.01)
        while self._step(0):
            pass
        return self.status

    def how_it_ended(self) -> str:
        """How it ended and the end of its stderr, for a report."""
        status = self.wait(1.0)
        how = "it still runs" if status is None else how_ended(status)
        said = self.stderr.decode("utf-8", "replace").strip()
        return f"{how}; stderr: {shown(said)}" if said else f"{how}; stderr is empty"

    def told(self, deviation: Deviation) -> Deviation:
        """A deviation with how the program ended, where it has."""
        ended = self.status is not None
        return Deviation(f"{deviation}; {self.how_it_ended()}") if ended else deviation

    def end(self) -> None:
        """Kill it and its process group, and reap it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(REAP_SECONDS)
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _refuse_flood(self) -> None:
        if self._flooded:
            raise Deviation(f"it wrote over {MAX_HELD_BYTES} bytes to stdout that answer nothing")

    def _pump(self, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self.timeout
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._step(left)
        return True

    def _step(self, timeout: float) -> bool:
        if not self._selector.get_map():  # both pipes are closed; only the end is waited for
            time.sleep(timeout if timeout < 0.01 else 0.01)
            return False
        ready = self._selector.select(timeout)
        for key, _ in ready:
            key.data()
        return bool(ready)

    def _write(self) -> None:
        try:
            written = os.write(self._stdin.fileno(), self._outgoing)
        except BlockingIOError:
            return
        except OSError:
            written = len(self._outgoing)
        self._outgoing = self._outgoing[written:]
        if not self._outgoing:
            self._selector.unregister(self._stdin)

    def _take_stdout(self) -> None:
        assert self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), _READ_BYTES)
        if not data:
            self.stdout_ended = True
            self._selector.unregister(self._process.stdout)
        self.stdout += data
        # Counted as they come: to search all that is held at each read would be quadratic.
        self._lines += data.count(b"\n")
        # No longer read from here on: the program may block on its pipe.
        if len(self.stdout) > MAX_HELD_BYTES and not self.stdout_ended:
            self._flooded = self.stdout_ended = True
            self._selector.unregister(self._process.stdout)

    def _take_stderr(self) -> None:
        assert self._process.stderr is not None
        data = os.read(self._process.stderr.fileno(), _READ_BYTES)
        if not data:
            self._selector.unregister(self._process.stderr)
        self.stderr = (self.stderr + data)[-STDERR_TAIL_BYTES:]


def how_ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    return f"killed by signal {-status} ({signal.strsignal(-status)})"
