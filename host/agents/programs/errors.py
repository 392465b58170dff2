"""How a program fails to give an output."""

from __future__ import annotations

import errno

_FEWER = "or let fewer agents work at once (--max-agents)"
# What can be done where the machine has too little left for one more program.
_ADVICE = {
    errno.EMFILE: f"; raise the limit of open files (ulimit -n), {_FEWER}",
    errno.ENFILE: f"; raise the machine's limit of open files, {_FEWER}",
    errno.EAGAIN: f"; raise the limit of processes (ulimit -u), {_FEWER}",
    errno.ENOMEM: f"; give the machine more memory, {_FEWER}",
}


class ProgramError(Exception):
    """The program has no usable output. The message continues its name: "exited with status 1: …".

    Attributes:
        status: with which it exited, negative for a signal; None where it did not end by itself.
        stderr: the end of what it wrote there, without escape sequences.
    """

    def __init__(self, message: str, *, status: int | None = None, stderr: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.stderr = stderr


class ProgramNotStarted(ProgramError):
    """The program was not executed.

    Attributes:
        errno: of the system call that failed, or 0.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(f"could not be started: {message}{_ADVICE.get(code, '')}")
        self.errno = code
