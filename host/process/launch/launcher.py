"""How a child process comes to be: the interface that every launcher has, and the pipes that each makes.

The contract of a launcher. `Spawned.pid` is

- a direct child of this process, not reaped and not waited for by anybody else: the host watches it through a
  pidfd and reaps it with wait4(2), whose figures decide the verdict;
- the process that reads stdin, closes its cage and runs the workflow, not one that started it. The host asks
  the kernel about this pid: its cage (proc_status.py), its CPU, its memory, its end. With ``sh -c``,
  ``setsid``, ``timeout`` or ``bwrap`` in between it would ask about the wrapper. What executes the child in
  its place (``sh -c 'exec …'``, ``nice``, ``env``) is no wrapper;
- in a process group of its own, or in one whose other members may be killed with it.

The descriptors are the host's to close, each once. The child has no others than its three, no variables but
`CHILD_ENVIRONMENT`, and has been sent nothing but `Spawned.initialize`. With isolation ``best_effort`` or
``none`` the kernel is not asked about the cage, so that a wrapper works; its CPU and memory are then measured
in place of the child's.
tests/process/test_launchers.py holds launchers to this.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from flowcage.protocol.messages import Initialize

# Nothing of the host's environment crosses; without TZ, libc would read /etc/localtime.
CHILD_ENVIRONMENT = {"TZ": "UTC0"}


class Spawned(NamedTuple):
    """A child of this process, which reaps it, and our ends of its three pipes, as raw descriptors.

    Attributes:
        pid: of the caged process itself, as the contract above has it.
        inherited_bytes: memory that it shares with whom it was forked from, though it looks like its own.
        initialize: the first message, where the launcher has sent it already; whoever uses the child waits
            for the reply and sends none of its own. None: nothing was sent.
    """

    pid: int
    stdin: int
    stdout: int
    stderr: int
    inherited_bytes: int = 0
    initialize: Initialize | None = None


class Launcher(Protocol):
    """Starts children. One launcher serves many runs, also at once."""

    async def launch(self) -> Spawned:
        """Start one child. Where this is cancelled, either no child is left or it is returned all the same.

        Raises:
            LaunchFailed: no descriptors, no processes, or no such program.
        """

    def distrust(self) -> None:
        """A child crashed or broke its cage: what it may have learned must not help the next one."""


class ClosableLauncher(Launcher, Protocol):
    """A launcher that may have processes of its own."""

    async def aclose(self) -> None:
        """End and reap them; children that it launched are left alone."""


class Pipes(NamedTuple):
    """The ends of a new child's stdin, stdout and stderr, as raw descriptors."""

    ours: tuple[int, int, int]
    theirs: tuple[int, int, int]


def open_pipes() -> Pipes:
    """Three pipes.

    Raises:
        OSError: no descriptor is left; none stays open.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened.extend(os.pipe())
    except OSError:
        close_all(opened)
        raise
    child_in, stdin, stdout, child_out, stderr, child_err = opened
    return Pipes((stdin, stdout, stderr), (child_in, child_out, child_err))


def close_all(descriptors: Iterable[int]) -> None:
    """Close raw descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)
