"""How a program fails to give an output."""

from __future__ import annotations

from flowcage.host.agents.scarcity import advice_for_program


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
        super().__init__(f"could not be started: {message}{advice_for_program(code)}")
        self.errno = code
