"""The ``exec`` launcher: a fresh interpreter, and so a fresh address-space layout, for every run."""

from __future__ import annotations

import os
import subprocess

from flowcage._child_command import child_command
from flowcage.host.process.launch import switches
from flowcage.host.process.launch.launcher import (
    CHILD_ENVIRONMENT,
    Spawned,
    close_all,
    not_launched,
    open_pipes,
)

_CHILD_COMMAND = child_command("flowcage.child", "flowcage.child.__main__")


class Spawn:
    """Executes a program for each child.

    Args:
        command: program and arguments; None for flowcage's own child. The program must be the child or
            execute it in its place; see the contract of launchers in docs/host.md.
    """

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        self._command = command

    async def launch(self) -> Spawned:
        """Start a child in a session of its own.

        flowcage's own child dies with the calling thread (prctl(2), PR_SET_PDEATHSIG).

        Raises:
            LaunchFailed: no descriptors, no processes, or no such program.
        """
        return spawn(self._command)

    def distrust(self) -> None:
        """Do nothing: execve(2) gives every child a new address-space layout."""

    async def aclose(self) -> None:
        """Do nothing: this launcher has no process besides the children."""


def spawn(command: tuple[str, ...] | None = None) -> Spawned:
    """Start a child, as `Spawn.launch` does."""
    try:
        pipes = open_pipes()
    except OSError as error:
        raise not_launched("no child could be started", error) from error
    try:
        child_in, child_out, child_err = pipes.child_ends
        process = subprocess.Popen(
            command or (*_CHILD_COMMAND, "--die-with", str(os.getpid()), *switches.child_options()),
            stdin=child_in,
            stdout=child_out,
            stderr=child_err,
            env=CHILD_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        close_all(pipes.host_ends)
        raise not_launched("no child could be started", error) from error
    finally:
        close_all(pipes.child_ends)
    pid = process.pid
    process.returncode = 0  # Popen must neither wait nor warn: `ChildProcess` reaps it, for its rusage
    return Spawned(pid, *pipes.host_ends)
