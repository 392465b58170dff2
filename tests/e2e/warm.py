"""Commands that are forked, one after the other, from a process that has everything imported.

An import of all that ``flowcage run`` needs takes two thirds of its time, and more of a server's. What a
command does at its start is tested with the command itself, as is what signals and closed streams do to it,
and what others see of the process's environment.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from . import forking
from .forking import EXECUTED, PADDING, Forker, Popen

PROGRAM = Path(__file__).with_name("warm_command.py")
_DEADLINE_S = 120.0


class Warm(Forker):
    """`warm_command.py`."""

    def __init__(self) -> None:
        control, theirs = socket.socketpair()
        control.settimeout(_DEADLINE_S)
        super().__init__(control)
        with theirs:
            command = (sys.executable, "-I", str(PROGRAM), "x" * PADDING)
            self._process = EXECUTED(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL)

    def end(self) -> None:
        """Have it leave."""
        self.close()
        assert self._process.wait(_DEADLINE_S) == 0


_at_work: Warm | None = None


def have_one(wanted: bool, *, everywhere: bool = False) -> None:
    """Start one, or end it.

    Args:
        wanted: by the functions of `command.py`.
        everywhere: and wherever a test starts the command.
    """
    global _at_work
    if wanted and _at_work is None:
        _at_work = Warm()
    elif not wanted and _at_work is not None:
        _at_work.end()
        _at_work = None
    forking.at_work = _at_work
    subprocess.Popen = Popen if wanted and everywhere else EXECUTED  # type: ignore[misc]
