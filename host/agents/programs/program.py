"""Runs one trusted program, such as an agent's: text in, text out, and nothing left of what it started.

docs/agents.md says what is ended when, and what is not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import trio

from flowcage.host.agents.programs.errors import ProgramError, ProgramNotStarted
from flowcage.host.agents.programs.notes import NoteReader
from flowcage.host.agents.programs.supervised import Supervised, start
from flowcage.host.agents.redaction import redacted
from flowcage.host.process.reaping import signal_name
from flowcage.host.terminal.text import plain_text, tail
from flowcage.protocol.messages import Json

__all__ = ["ProgramError", "ProgramNotStarted", "output_of"]

MAX_STDOUT_BYTES = 8 * 1024 * 1024
# Of stderr in an error. More bytes are kept than that, because escape sequences are removed from them.
STDERR_TAIL_CHARACTERS = 2_000
_STDERR_TAIL_BYTES = 16 * 1024
# After the end of the program, to read what is left in its pipes. What another user's process of it wrote
# there, which cannot be killed, could keep them open.
_DRAIN_SECONDS = 1.0
# Of git(1), local to the repository that the host was started in: `git rev-parse --local-env-vars`.
_OF_A_REPOSITORY = frozenset(
    ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
) | {"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_IMPLICIT_WORK_TREE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"}


async def output_of(
    argv: Sequence[str],
    stdin: bytes,
    *,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
    timeout_s: float,
    idle_timeout_s: float | None = None,
    max_stdout_bytes: int = MAX_STDOUT_BYTES,
    on_stdout: Callable[[bytes], None] | None = None,
    on_note: Callable[[Json], None] | None = None,
    on_bad_note: Callable[[str], None] | None = None,
) -> bytes:
    """Run a program to its end and return its stdout.

    The program runs in a session of its own. At its end, at a timeout, when this call is cancelled, and when
    the host dies, all that it started is killed, whatever session it is in.

    Args:
        argv: program and arguments, not interpreted by a shell.
        stdin: what the program may read.
        environment: all its variables; None for the host's.
        folder: to work in; None for the host's.
        timeout_s: wall-clock seconds until it is killed.
        idle_timeout_s: seconds without a byte on stdout and without a line on descriptor 3, until it is
            killed; None for no such limit.
        max_stdout_bytes: it is killed when it writes more.
        on_stdout: is given what the program writes there as it comes, in pieces of any length, and must not
            raise. Nothing of it is kept then: b"" is returned.
        on_note: is given the JSON of each line that the program writes to its descriptor 3, and must not
            raise; None for no such descriptor.
        on_bad_note: is told why a line there was left out.

    Raises:
        ProgramError: it could not be started, took or wrote too much, or exited with another status than 0.
    """
    notes = None if on_note is None else NoteReader(on_note, on_bad_note or (lambda _why: None))
    environment = os.environ if environment is None else environment
    if folder is not None:
        environment = _for(folder, environment)
    supervised = await start(argv, environment=environment, folder=folder, with_notes=notes is not None)
    program = _Program(supervised, notes, on_stdout, max_stdout_bytes, idle_timeout_s or math.inf)
    try:
        with trio.move_on_after(timeout_s) as clock, program.idle:
            await program.communicate(stdin)
    finally:
        await supervised.end()
    if clock.cancelled_caught:
        raise program.failure(f"took longer than {timeout_s:g} s and was killed")
    if program.idle.cancelled_caught:
        raise program.failure(f"gave no sign of life for {idle_timeout_s:g} s and was killed")
    return program.output()


def _for(folder: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables without those that say where the host works, such as for git where a hook has started it."""
    kept = {name: value for name, value in environment.items() if name not in _OF_A_REPOSITORY}
    return kept | {"PWD": folder}


class _Program:
    """A running program and what it has written so far."""

    def __init__(
        self,
        supervised: Supervised,
        notes: NoteReader | None,
        on_stdout: Callable[[bytes], None] | None,
        max_stdout_bytes: int,
        idle_timeout_s: float,
    ) -> None:
        self._supervised = supervised
        self._notes = notes
        self._on_stdout = on_stdout
        self._max_stdout_bytes = max_stdout_bytes
        self._idle_timeout_s = idle_timeout_s
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._wrote_too_much = False
        self._ending: int | ProgramError | None = None
        self.idle = trio.CancelScope()
        self._renew()

    async def communicate(self, data: bytes) -> None:
        """Write stdin and read the pipes to the program's end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed, data)
            nursery.start_soon(self._read_stdout, nursery.cancel_scope)
            nursery.start_soon(self._read_stderr)
            nursery.start_soon(self._read_notes)
            try:
                self._ending = await self._supervised.wait()
            except ProgramError as error:
                self._ending = error
            self._idle_timeout_s = math.inf
            self._renew()
            nursery.cancel_scope.deadline = trio.current_time() + _DRAIN_SECONDS

    def output(self) -> bytes:
        """What it wrote to stdout. Raises ProgramError where it did not end well."""
        if self._wrote_too_much:
            raise self.failure(f"wrote more than {self._max_stdout_bytes} bytes and was killed")
        if isinstance(self._ending, ProgramError):
            raise self._ending
        status = self._ending
        if status:
            ended = f"exited with status {status}" if status > 0 else f"was killed by {signal_name(-status)}"
            stderr = self._stderr_tail()
            raise self.failure(
                f"{ended}: {stderr}" if stderr else f"{ended} and wrote nothing to stderr", status
            )
        return bytes(self._stdout)

    def failure(self, message: str, status: int | None = None) -> ProgramError:
        """The error with this message."""
        return ProgramError(message, status=status, stderr=self._stderr_tail())

    def _stderr_tail(self) -> str:
        return tail(redacted(plain_text(self._stderr)), STDERR_TAIL_CHARACTERS)

    def _renew(self) -> None:
        self.idle.deadline = trio.current_time() + self._idle_timeout_s

    async def _feed(self, data: bytes) -> None:
        with suppress(trio.BrokenResourceError):  # a program may close stdin without reading it
            await self._supervised.stdin.send_all(data)
        await self._supervised.stdin.aclose()

    async def _read_stdout(self, scope: trio.CancelScope) -> None:
        written = 0
        async for chunk in self._supervised.stdout:
            self._renew()
            written += len(chunk)
            if written > self._max_stdout_bytes:
                self._wrote_too_much = True
                scope.cancel()
                return
            if self._on_stdout is None:
                self._stdout += chunk
            else:
                self._on_stdout(bytes(chunk))

    async def _read_stderr(self) -> None:
        async for chunk in self._supervised.stderr:
            self._stderr += chunk
            del self._stderr[:-_STDERR_TAIL_BYTES]

    async def _read_notes(self) -> None:
        if self._supervised.notes is None or self._notes is None:
            return
        async for chunk in self._supervised.notes:
            if self._notes.feed(bytes(chunk)):
                self._renew()
