"""A launcher that has the next child ready, with its cage closed, before anybody asks for it."""

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

# More would serve bursts, at the price of idle processes.
_SPARES = 2


class Reserve:
    """Keeps a few children of another launcher waiting, each to be used once.

    Args:
        launcher: starts the children; it stays its owner's to close.
        initialize: the first message to every spare. It is sent before anybody asks for the child, and handed
            out with it.
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
        """Starts children that have been told nothing, for a cage that is not the reserve's."""
        return _Unprepared(self._launcher, self)

    async def launch(self) -> Spawned:
        """Hand out a spare, or start a child where there is none.

        Raises:
            LaunchFailed: as the launcher.
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
        """The spares share what the child may have learned."""
        self._distrusted += 1
        self._end_spares()
        self._launcher.distrust()

    def close(self) -> None:
        """End and reap all spares; there will be no more."""
        self._is_closed = True
        self._end_spares()

    async def _refill(self) -> None:
        distrusted = self._distrusted
        try:
            with suppress(LaunchFailed):  # whoever asks next is told
                spare = await self._launcher.launch()
                if self._is_closed or self._distrusted > distrusted:
                    _end(spare)
                else:
                    self._add(spare)
        finally:
            self._coming -= 1

    def _add(self, spare: Spawned) -> None:
        with suppress(BrokenPipeError):  # it is gone already, which `launch` will see
            os.write(spare.stdin, self._line)  # a new pipe has room for it
        self._spares.append(spare._replace(initialize=self._initialize))

    def _end_spares(self) -> None:
        while self._spares:
            _end(self._spares.popleft())


class _Unprepared:
    """A reserve's launcher; what a child of it may have learned, the spares share all the same."""

    def __init__(self, launcher: Launcher, reserve: Reserve) -> None:
        self._launcher = launcher
        self._reserve = reserve

    async def launch(self) -> Spawned:
        """As the launcher."""
        return await self._launcher.launch()

    def distrust(self) -> None:
        """As the reserve."""
        self._reserve.distrust()


def unprepared(launcher: Launcher) -> Launcher:
    """What starts children of this launcher that have been told nothing yet."""
    return launcher.unprepared if isinstance(launcher, Reserve) else launcher


def _is_alive(spare: Spawned) -> bool:
    try:
        return os.waitid(os.P_PID, spare.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # somebody else in this process reaped it, or SIGCHLD is ignored
        return False


def _end(spare: Spawned) -> None:
    end_at_once(spare.pid)
    close_all((spare.stdin, spare.stdout, spare.stderr))
