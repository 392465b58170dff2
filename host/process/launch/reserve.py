"""Spares: children that are started and initialized, their cage closed, before a run needs them.

A `Reserve` stands between the runs of a tenant and its launcher. `launch` returns a spare to which the first
message has been sent, and a task starts the next one meanwhile.

Invariants:

- A spare has received the first message and nothing else, so it knows nothing of any run, and each is used
  once.
- All spares were told the same limits and isolation. A run with others must take `unprepared`; `Child`
  refuses a spare that was told something else than the run would have said.
- A spare that has been started but not yet added counts in `_coming`. Otherwise each of many calls at once
  would start spares of its own.
- `distrust` ends the spares at hand, and `_refill` looks at the count afterwards: a spare that was being
  started when a child crashed has the same memory layout, and is ended instead of added.
- After `close` nothing is added any more; a spare under way is ended by its own task
  (tests/process/test_reserve.py).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process.child_process import end_at_once
from flowcage.host.process.launch.launcher import ClosableLauncher, Launcher, Spawned, close_all
from flowcage.protocol.connection import HostConnection
from flowcage.protocol.messages import Initialize

# For each tenant. More would serve larger bursts, but every spare is an idle process with its memory.
_SPARES = 2


class Reserve:
    """Keeps `_SPARES` children of another launcher ready.

    Args:
        launcher: starts the children; its owner closes it.
        initialize: the first message, sent to every spare and handed out with it.
        start_soon: starts a task that lives as long as the reserve does.
    """

    def __init__(
        self, launcher: ClosableLauncher, initialize: Initialize, start_soon: Callable[..., object]
    ) -> None:
        self._launcher = launcher
        self._initialize = initialize
        self._line = HostConnection().send(initialize)
        self._start_soon = start_soon
        self._spares: deque[Spawned] = deque()
        self._coming = 0
        self._distrusted = 0
        self._is_closed = False

    @property
    def unprepared(self) -> Launcher:
        """A launcher of children without a first message, for runs whose limits or isolation differ."""
        return _Unprepared(self._launcher, self)

    async def launch(self) -> Spawned:
        """Hand out a spare, or start a child where there is none.

        Raises:
            LaunchFailed: there was no spare, and the launcher failed.
        """
        while self._coming + len(self._spares) <= _SPARES and not self._is_closed:
            self._coming += 1
            self._start_soon(self._refill)
        while self._spares:
            spare = self._spares.popleft()
            if _is_alive(spare):
                return spare
            _end(spare)
        return await self._launcher.launch()

    def distrust(self) -> None:
        """Discard the spares: they have the crashed child's memory layout. The launcher is told too."""
        self._distrusted += 1
        self._end_spares()
        self._launcher.distrust()

    def close(self) -> None:
        """End and reap all spares; none is started from now on."""
        self._is_closed = True
        self._end_spares()

    async def _refill(self) -> None:
        distrusted = self._distrusted
        try:
            with suppress(LaunchFailed):  # the next `launch` meets the same error and raises it
                spare = await self._launcher.launch()
                if self._is_closed or self._distrusted > distrusted:
                    _end(spare)
                else:
                    self._add(spare)
        finally:
            self._coming -= 1

    def _add(self, spare: Spawned) -> None:
        with suppress(BrokenPipeError):  # the spare has ended already; `launch` finds that out
            os.write(spare.stdin, self._line)  # an empty pipe has room for it
        self._spares.append(spare._replace(initialize=self._initialize))

    def _end_spares(self) -> None:
        while self._spares:
            _end(self._spares.popleft())


class _Unprepared:
    """Launches past the spares, but distrusts them too: they come from the same zygote."""

    def __init__(self, launcher: Launcher, reserve: Reserve) -> None:
        self._launcher = launcher
        self._reserve = reserve

    async def launch(self) -> Spawned:
        """As the reserve's launcher."""
        return await self._launcher.launch()

    def distrust(self) -> None:
        """As `Reserve.distrust`."""
        self._reserve.distrust()


def unprepared(launcher: Launcher) -> Launcher:
    """The launcher itself, or a reserve's: its children have received no message."""
    return launcher.unprepared if isinstance(launcher, Reserve) else launcher


def _is_alive(spare: Spawned) -> bool:
    try:
        return os.waitid(os.P_PID, spare.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # reaped by other code of this program, or by the kernel (SIGCHLD is ignored)
        return False


def _end(spare: Spawned) -> None:
    end_at_once(spare.pid)
    close_all((spare.stdin, spare.stdout, spare.stderr))
