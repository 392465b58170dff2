"""A terminal whose screen a test can read: the other side of a pty, by pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyte

from ..e2e.forking import take_terminal

DEADLINE = 300.0


class Emulator:
    """One terminal.

    Attributes:
        slave: the side that programs have, until `close_slave`.
        raw: all bytes that came.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.master, self.slave = pty.openpty()
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self._set_size(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """As a user does it, who drags a corner: the kernel sends SIGWINCH."""
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without empty lines at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n").split("\n")

    @property
    def scrolled(self) -> list[str]:
        """What is above it, too."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns)).rstrip()
            for line in self._screen.history.top
        ]
        return above + self.lines

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self._screen.cursor.y, self._screen.cursor.x

    @property
    def shows_cursor(self) -> bool:
        """Whether it is visible."""
        return not self._screen.cursor.hidden

    def type(self, text: str) -> None:
        """On its keyboard."""
        os.write(self.master, text.encode())

    def read_until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Read until something holds of the lines; these."""
        deadline = time.monotonic() + DEADLINE
        while not holds(self.lines):
            assert time.monotonic() < deadline, "\n".join(self.scrolled)
            if not self._read():
                raise AssertionError("the terminal was closed:\n" + "\n".join(self.scrolled))
        return self.lines

    def read_to_the_end(self) -> list[str]:
        """Read until no program has it; all lines."""
        while self._read():
            pass
        return self.scrolled

    def close_slave(self) -> None:
        """Let only programs have it."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def close(self) -> None:
        """Both sides."""
        self.close_slave()
        os.close(self.master)

    def _read(self) -> bool:
        if not select.select([self.master], [], [], DEADLINE)[0]:
            raise AssertionError("nothing came:\n" + "\n".join(self.scrolled))
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # the other side is closed (EIO)
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def terminal(columns: int = 80, rows: int = 24) -> Iterator[Emulator]:
    """A terminal for the length of a block."""
    emulator = Emulator(columns, rows)
    try:
        yield emulator
    finally:
        emulator.close()


@contextmanager
def on_terminal(
    emulator: Emulator, *words: str | Path, env: Mapping[str, str] | None = None, is_leader: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with this terminal for all of its streams; it is killed in the end.

    Args:
        emulator: the terminal.
        words: of the command.
        env: variables beside those of the test.
        is_leader: whether the terminal controls it, so that ^C and ^Z are signals to it.
    """

    process = subprocess.Popen(
        [str(word) for word in words],
        stdin=emulator.slave,
        stdout=emulator.slave,
        stderr=emulator.slave,
        env={**os.environ, "TERM": "linux", **(env or {})},
        start_new_session=is_leader,
        preexec_fn=take_terminal if is_leader else None,
    )
    emulator.close_slave()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
