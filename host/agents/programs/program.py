"""Runs one trusted program, such as an agent's: text in, text out, and nothing left in its process group.

A process that leaves the group (setsid(2)) lives on, and so does the program if the host is killed by
SIGKILL.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import trio

from flowcage.host.process.reaping import signal_name
from flowcage.host.terminal.text import plain_text, tail

MAX_STDOUT_BYTES = 8 * 1024 * 1024
# Of stderr in an error. More bytes are kept than that, because escape sequences are removed from them.
STDERR_TAIL_CHARACTERS = 2_000
_STDERR_TAIL_BYTES = 16 * 1024
# After the end of the program, to read what is left in its pipes. A daemon that it left could keep them open.
_DRAIN_SECONDS = 1.0
# After SIGKILL, which only a process in uninterruptible sleep (state D) survives for a while.
_REAP_SECONDS = 5.0


class ProgramError(Exception):
    """The program has no usable output. The message continues its name: "exited with status 1: …"."""


class ProgramNotStarted(ProgramError):
    """No process was started.

    Attributes:
        errno: of the system call that failed, or 0.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(f"could not be started: {message}")
        self.errno = code


async def output_of(
    argv: Sequence[str],
    stdin: bytes,
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
    max_stdout_bytes: int = MAX_STDOUT_BYTES,
) -> bytes:
    """Run a program to its end and return its stdout.

    The program runs in a session of its own. At its end, at the timeout, and when this call is cancelled,
    everything left in its process group is killed.

    Args:
        argv: program and arguments, not interpreted by a shell.
        stdin: what the program may read.
        environment: all its variables; None for the host's.
        timeout_s: wall-clock seconds until it is killed.
        max_stdout_bytes: it is killed when it writes more.

    Raises:
        ProgramError: it could not be started, took or wrote too much, or exited with another status than 0.
    """
    program = _Program(await _start(argv, environment), max_stdout_bytes)
    try:
        with trio.move_on_after(timeout_s) as clock:
            status = await program.communicate(stdin)
    finally:
        await program.end()
    if program.wrote_too_much:
        raise ProgramError(f"wrote more than {max_stdout_bytes} bytes and was killed")
    if clock.cancelled_caught:
        raise ProgramError(f"took longer than {timeout_s:g} s and was killed")
    if status != 0:
        raise ProgramError(_failure(status, tail(plain_text(program.stderr), STDERR_TAIL_CHARACTERS)))
    return bytes(program.stdout)


async def _start(argv: Sequence[str], environment: Mapping[str, str] | None) -> trio.Process:
    pipe = subprocess.PIPE
    try:
        return await trio.lowlevel.open_process(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )
    except OSError as error:
        if error.errno == errno.E2BIG:
            reason = "its arguments and environment are more than the operating system allows"
            raise ProgramNotStarted(reason, errno.E2BIG) from None
        raise ProgramNotStarted(error.strerror or str(error), error.errno or 0) from None
    except ValueError as error:
        raise ProgramNotStarted(str(error)) from None


def _failure(status: int, stderr: str) -> str:
    ended = f"exited with status {status}" if status > 0 else f"was killed by {signal_name(-status)}"
    return f"{ended}: {stderr}" if stderr else f"{ended} and wrote nothing to stderr"


class _Program:
    """A running program and what it has written so far."""

    def __init__(self, process: trio.Process, max_stdout_bytes: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._max_stdout_bytes = max_stdout_bytes
        self._group_is_gone = False
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.wrote_too_much = False

    async def communicate(self, data: bytes) -> int:
        """Write stdin, read stdout and stderr to the program's end; its status, negative for a signal."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed, data)
            nursery.start_soon(self._read_stdout)
            nursery.start_soon(self._read_stderr)
            status = await self._process.wait()
            self._kill_group()
            self._group_is_gone = True
            nursery.cancel_scope.deadline = trio.current_time() + _DRAIN_SECONDS
        return status

    async def end(self) -> None:
        """Kill the process group and reap the program, also while cancelled."""
        with trio.move_on_after(_REAP_SECONDS, shield=True):
            self._kill_group()
            for stream in (self._stdin, self._stdout, self._stderr):
                await stream.aclose()
            await self._process.wait()

    def _kill_group(self) -> None:
        # After the reaping another process may get the pid, and with it the group's id.
        if not self._group_is_gone:
            with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _feed(self, data: bytes) -> None:
        with suppress(trio.BrokenResourceError):  # a program may close stdin without reading it
            await self._stdin.send_all(data)
        await self._stdin.aclose()

    async def _read_stdout(self) -> None:
        async for chunk in self._stdout:
            self.stdout += chunk
            if len(self.stdout) > self._max_stdout_bytes:
                self.wrote_too_much = True
                self._kill_group()
                return

    async def _read_stderr(self) -> None:
        async for chunk in self._stderr:
            self.stderr += chunk
            del self.stderr[:-_STDERR_TAIL_BYTES]
