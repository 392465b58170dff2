"""The interface of launchers, which start child processes, and the pipes that each makes.

The contract of a launcher. `Spawned.pid` is

- a direct child of this process that no other code reaps or waits for: the host watches it through a pidfd
  and reaps it with wait4(2), whose figures decide the verdict;
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

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.protocol.messages import Initialize, Initialized

# The host's variables may hold secrets, so none is passed on. Without TZ, libc would read /etc/localtime.
CHILD_ENVIRONMENT = {"TZ": "UTC0"}


class Spawned(NamedTuple):
    """A started child, and the host's ends of its three pipes, as raw descriptors.

    Attributes:
        pid: of the caged process itself; see the contract above.
        stdin, stdout, stderr: the host's ends; the caller closes each once.
        inherited_bytes: memory that the kernel counts as the child's, but that it shares with the zygote it
            was forked from.
        initialize: the first message, where the launcher has sent it already: the user of the child sends
            none and waits for the reply. None where nothing was sent.
        sent_bytes: of its line.
        said: what the child has sent since, and the launcher has read.
        initialized: the same, decoded, where it agrees with what was asked for and the kernel has confirmed
            the cage. None where that is left to the user, who meets what is wrong.
        pidfd: of the process, which the caller closes; the host's ends are in non-blocking mode then. -1
            where there is none.
    """

    pid: int
    stdin: int
    stdout: int
    stderr: int
    inherited_bytes: int = 0
    initialize: Initialize | None = None
    sent_bytes: int = 0
    said: bytes = b""
    initialized: Initialized | None = None
    pidfd: int = -1


class Launcher(Protocol):
    """Starts children; one launcher serves many runs, also at once."""

    async def launch(self) -> Spawned:
        """Start one child.

        When this is cancelled, either no child is left behind or the child is returned in spite of it.

        Raises:
            LaunchFailed: no descriptors, no processes, or no such program.
        """

    def distrust(self) -> None:
        """Replace what later children would share with a child that crashed or attacked its cage.

        Such a child may have leaked the address-space layout and the hash seed.
        """


class ClosableLauncher(Launcher, Protocol):
    """A launcher that may have processes of its own, such as a zygote."""

    async def aclose(self) -> None:
        """End and reap the launcher's own processes; children that it launched are not touched."""


class Pipes(NamedTuple):
    """The ends of a new child's stdin, stdout and stderr, as raw descriptors."""

    host_ends: tuple[int, int, int]
    child_ends: tuple[int, int, int]


def open_pipes() -> Pipes:
    """Make the pipes of a new child.

    Raises:
        OSError: no descriptor is left; those opened until then are closed.
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


def not_launched(what: str, error: OSError) -> LaunchFailed:
    """The error for a system call that failed while a process was started: ``WHAT: FILE: reason``.

    Args:
        what: could not be done, such as "no child could be started".
        error: its number is left out, which says no more than its text.
    """
    file = f"{error.filename}: " if error.filename else ""
    return LaunchFailed(f"{what}: {file}{error.strerror or error}")
