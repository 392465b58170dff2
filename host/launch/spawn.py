"""The ``exec`` launcher: a fresh interpreter, and so a fresh address-space layout, for every run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from flowcage.host.errors import LaunchFailed

# Isolated mode: no PYTHON* variables, no user site, no current folder on the path.
_CHILD_COMMAND = (sys.executable, "-I", "-m", "flowcage.child")

# Nothing of the host's environment crosses; without TZ, libc would read /etc/localtime.
CHILD_ENVIRONMENT = {"TZ": "UTC0"}


class Spawned(NamedTuple):
    """A running child and our ends of its three pipes, as raw descriptors."""

    pid: int
    stdin: int
    stdout: int
    stderr: int


Launcher: TypeAlias = Callable[[], Spawned]


def spawn(command: tuple[str, ...] | None = None) -> Spawned:
    """Start a child in its own session, from the calling thread, and to die with that thread.

    Args:
        command: program and arguments; None for flowcage's own child.

    Raises:
        LaunchFailed: no descriptors, no processes, or no such program.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened.extend(os.pipe())
        child_in, stdin, stdout, child_out, stderr, child_err = opened
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
        for descriptor in opened:
            os.close(descriptor)
        raise LaunchFailed(f"no child could be started: {error}") from error
    for descriptor in (child_in, child_out, child_err):
        os.close(descriptor)
    pid = process.pid
    process.returncode = 0  # we reap it ourselves, for its rusage; Popen must neither wait nor warn
    return Spawned(pid, stdin, stdout, stderr)
