"""A program under its supervisor, a process that runs `supervisor.main`: started, waited for, ended."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

import trio

from flowcage.host.agents.programs.errors import ProgramError, ProgramNotStarted
from flowcage.host.process.reaping import signal_name

# For the supervisor to kill all of the program, which only a process in uninterruptible sleep (state D)
# survives for a while; and as long for the supervisor itself, which the program can have stopped.
_REAP_SECONDS = 5.0
# What Linux allows every user (pipe-max-size).
_PIPE_BYTES = 1024 * 1024
_TOO_LARGE = "its arguments and environment are more than the operating system allows"
# It is imported, for Python to keep it compiled. Behind Python's own folders on the path.
_COMMAND = (
    sys.executable,
    *("-I", "-S", "-c"),
    f"import sys; sys.path.append({os.path.dirname(os.path.abspath(__file__))!r}); "
    "from supervisor import main; main(sys.argv[1:])",
)


class Supervised:
    """A program that was started. Call `end` on every way out.

    Attributes:
        stdin, stdout, stderr: our ends of its pipes.
        notes: what it writes to its descriptor 3; None where it has none.
    """

    def __init__(self, process: trio.Process, control: socket.socket, notes: int | None) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self.notes = None if notes is None else trio.lowlevel.FdStream(notes)
        self._supervisor = process
        self._control = trio.socket.from_stdlib_socket(control)
        self._program: int | None = None

    async def wait(self) -> int:
        """The program's status, negative for a signal. All else that it started is then being killed.

        Raises:
            ProgramNotStarted: it could not be executed.
            ProgramError: the supervisor was killed.
        """
        told = b""
        while received := await self._receive():
            *lines, told = (told + received).split(b"\n")
            for line in lines:
                number = int(line[2:])
                if line[:1] == b"s":
                    return number
                if line[:1] == b"e":
                    raise _not_started(OSError(number, os.strerror(number)))
                self._program = number
        status = await self._supervisor.wait()
        self._kill_group()
        ended = f"was killed by {signal_name(-status)}" if status < 0 else f"exited with status {status}"
        raise ProgramError(f"was ended, because its supervisor {ended}")

    async def end(self) -> None:
        """Kill all that the program started and reap the supervisor, also while cancelled."""
        with suppress(OSError):  # also where the host has forked: another process may hold this end
            self._control.shutdown(trio.socket.SHUT_RDWR)
        self._control.close()
        with trio.CancelScope(shield=True):
            for stream in (self.stdin, self.stdout, self.stderr, self.notes):
                if stream is not None:
                    await stream.aclose()
            with trio.move_on_after(_REAP_SECONDS):
                await self._supervisor.wait()
            if self._supervisor.returncode != 0:
                self._supervisor.kill()
                self._kill_group()
                with trio.move_on_after(_REAP_SECONDS):
                    await self._supervisor.wait()

    async def _receive(self) -> bytes:
        try:
            return await self._control.recv(4096)
        except OSError:  # a reset by the supervisor's end
            return b""

    def _kill_group(self) -> None:
        # The program itself has died with its supervisor. A group's id is taken as long as it has members.
        if self._program is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._program, signal.SIGKILL)


async def start(
    argv: Sequence[str], *, environment: Mapping[str, str], folder: str | None, with_notes: bool
) -> Supervised:
    """Start a program in a session of its own.

    Args:
        argv: program and arguments; the program is looked for in the PATH of its environment.
        environment: all its variables.
        folder: to work in; None for the host's.
        with_notes: whether its descriptor 3 is a pipe to the host.

    Raises:
        ProgramNotStarted: no process or descriptor is left, arguments are wrong, or there is no such folder.
            That the program cannot be executed is told by `Supervised.wait`.
    """
    locale = environment.get("LC_CTYPE")
    pipe = subprocess.PIPE
    with ExitStack() as theirs, ExitStack() as ours:
        try:
            control, far = socket.socketpair()
            ours.callback(control.close)
            theirs.callback(far.close)
            notes, written = os.pipe() if with_notes else (None, -1)
            if notes is not None:
                ours.callback(os.close, notes)
                theirs.callback(os.close, written)
            process = await trio.lowlevel.open_process(
                [
                    *_COMMAND,
                    *(str(os.getpid()), str(far.fileno()), str(written)),
                    "" if locale is None else f"={locale}",
                    *argv,
                ],
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=environment,
                cwd=folder,
                start_new_session=True,
                pass_fds=[far.fileno()] if notes is None else [far.fileno(), written],
            )
        except OSError as error:
            raise _not_started(error, folder) from None
        except ValueError as error:
            raise ProgramNotStarted(str(error)) from None
        _widen(process.stdout)
        control.setblocking(False)
        supervised = Supervised(process, control, notes)
        ours.pop_all()
    return supervised


def _widen(pipe: trio.abc.ReceiveStream | None) -> None:
    """Let a pipe hold more: some programs end without waiting until what they wrote is read."""
    if isinstance(pipe, trio.lowlevel.FdStream) and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # more than its user may have in pipes
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _not_started(error: OSError, folder: str | None = None) -> ProgramNotStarted:
    if error.errno == errno.E2BIG:
        return ProgramNotStarted(_TOO_LARGE, errno.E2BIG)
    where = "in its folder: " if folder is not None and error.filename == folder else ""
    return ProgramNotStarted(f"{where}{error.strerror or error}", error.errno or 0)
