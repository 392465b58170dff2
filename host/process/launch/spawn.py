"""The ``exec`` launcher: a fresh interpreter, and so a fresh address-space layout, for every run."""

from __future__ import annotations

import os
import subprocess
import sys

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process.launch.launcher import CHILD_ENVIRONMENT, Spawned, close_all, open_pipes

# Isolated mode: no PYTHON* variables, no user site, no current folder on the path.
_CHILD_COMMAND = (sys.executable, "-I", "-m", "flowcage.child")


class Spawn:
    """Starts each child as a program of its own.

    Args:
        command: program and arguments; None for flowcage's own child.
    """

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        self._command = command

    async def launch(self) -> Spawned:
        """Start a child in its own session, from the calling thread, and to die with that thread."""
        return spawn(self._command)

    def distrust(self) -> None:
        """Nothing to do: the next child has a layout of its own anyway."""

    async def aclose(self) -> None:
        """Nothing to do: there is no process but the children."""


def spawn(command: tuple[str, ...] | None = None) -> Spawned:
    """Start a child, as `Spawn.launch`.

    Raises:
        LaunchFailed: no descriptors, no processes, or no such program.
    """
    try:
        pipes = open_pipes()
    except OSError as error:
        raise LaunchFailed(f"no child could be started: {error}") from error
    try:
        child_in, child_out, child_err = pipes.theirs
        process = subprocess.Popen(
            command or (*_CHILD_COMMAND, "--die-with", str(os.getpid())),
            stdin=child_in,
            stdout=child_out,
            stderr=child_err,
            env=CHILD_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        close_all(pipes.ours)
        raise LaunchFailed(f"no child could be started: {error}") from error
    finally:
        close_all(pipes.theirs)
    pid = process.pid
    process.returncode = 0  # we reap it ourselves, for its rusage; Popen must neither wait nor warn
    return Spawned(pid, *pipes.ours)
