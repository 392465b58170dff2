"""Spares: children that are started and initialized, their cage closed, before a run needs them.

A `Reserve` stands between the runs of a tenant and its launcher. `launch` returns a spare to which the first
message has been sent, and a task starts the next one meanwhile. The first message has the limits, so there
are spares for two of them: the usual one, and another that two runs in a row, of those with limits of their
own, have asked for. A run whose limits nobody repeats gets a child without a first message.

Invariants:

- A spare has received the first message and nothing else, so it knows nothing of any run, and each is used
  once.
- A spare is handed out to a run that would have sent the same message; `Child` refuses any other.
- A spare that has been started but not yet added counts in `coming`. Otherwise each of many calls at once
  would start spares of its own.
- `distrust` ends the spares at hand, and `_refill` looks at the count afterwards: a spare that was being
  started when a child crashed has the same memory layout, and is ended instead of added. All spares come
  from one zygote, whatever they were told, so a crash ends them all.
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


class _Shelf:
    """The spares that were told the same: `coming` are being started."""

    def __init__(self, initialize: Initialize) -> None:
        self.initialize = initialize
        self.line = HostConnection().send(initialize)
        self.spares: deque[Spawned] = deque()
        self.coming = 0

    def add(self, spare: Spawned) -> None:
        with suppress(BrokenPipeError):  # the spare has ended already; `take` finds that out
            os.write(spare.stdin, self.line)  # an empty pipe has room for it
        self.spares.append(spare._replace(initialize=self.initialize))

    def take(self) -> Spawned | None:
        while self.spares:
            spare = self.spares.popleft()
            if _is_alive(spare):
                return spare
            _end(spare)
        return None

    def end(self) -> None:
        while self.spares:
            _end(self.spares.popleft())


class Reserve:
    """Keeps `_SPARES` children of another launcher ready for each of two first messages.

    Args:
        launcher: starts the children; its owner closes it.
        usual: the first message that most runs would send.
        start_soon: starts a task that lives as long as the reserve does.
    """

    def __init__(
        self, launcher: ClosableLauncher, usual: Initialize, start_soon: Callable[..., object]
    ) -> None:
        self._launcher = launcher
        self._usual = _Shelf(usual)
        self._other: _Shelf | None = None
        self._last: Initialize | None = None  # of the runs with another message than the usual one
        self._start_soon = start_soon
        self._distrusted = 0
        self._is_closed = False

    def of(self, initialize: Initialize) -> Launcher:
        """The launcher for a run that would send this first message."""
        return self if initialize == self._usual.initialize else _Other(self, initialize)

    @property
    def unprepared(self) -> Launcher:
        """A launcher of children without a first message."""
        return _Other(self, None)

    async def launch(self) -> Spawned:
        """Hand out a spare, or start a child where there is none.

        Raises:
            LaunchFailed: there was no spare, and the launcher failed.
        """
        return await self._launch(self._usual)

    async def launch_other(self, initialize: Initialize | None) -> Spawned:
        """The same for a run with another first message; None for one that no spare can suit."""
        return await self._launch(None if initialize is None else self._shelf(initialize))

    def distrust(self) -> None:
        """Discard the spares: they have the crashed child's memory layout. The launcher is told too."""
        self._distrusted += 1
        self._end_spares()
        self._launcher.distrust()

    def close(self) -> None:
        """End and reap all spares; none is started from now on."""
        self._is_closed = True
        self._end_spares()

    def _shelf(self, initialize: Initialize) -> _Shelf | None:
        """Where spares for this message are kept; None for one that was not asked for the last time, too."""
        if self._other is not None and self._other.initialize == initialize:
            return self._other
        if self._last != initialize:  # spares for a run that nobody repeats would be started for nothing
            self._last = initialize
            return None
        if self._other is not None:
            self._other.end()
        self._other = _Shelf(initialize)
        return self._other

    async def _launch(self, shelf: _Shelf | None) -> Spawned:
        if shelf is None:
            return await self._launcher.launch()
        while shelf.coming + len(shelf.spares) <= _SPARES and not self._is_closed:
            shelf.coming += 1
            self._start_soon(self._refill, shelf)
        return shelf.take() or await self._launcher.launch()

    async def _refill(self, shelf: _Shelf) -> None:
        distrusted = self._distrusted
        try:
            with suppress(LaunchFailed):  # the next `launch` meets the same error and raises it
                spare = await self._launcher.launch()
                is_wanted = shelf in (self._usual, self._other) and not self._is_closed
                if is_wanted and self._distrusted == distrusted:
                    shelf.add(spare)
                else:
                    _end(spare)
        finally:
            shelf.coming -= 1

    def _end_spares(self) -> None:
        self._usual.end()
        if self._other is not None:
            self._other.end()


class _Other:
    """A reserve's launcher for runs with another first message than the usual one."""

    def __init__(self, reserve: Reserve, initialize: Initialize | None) -> None:
        self.reserve = reserve
        self._initialize = initialize

    async def launch(self) -> Spawned:
        """As `Reserve.launch_other`."""
        return await self.reserve.launch_other(self._initialize)

    def distrust(self) -> None:
        """As `Reserve.distrust`: all spares come from the same zygote."""
        self.reserve.distrust()


def unprepared(launcher: Launcher) -> Launcher:
    """The launcher itself, or what stands behind a reserve: its children have received no message."""
    if isinstance(launcher, _Other):
        return launcher.reserve.unprepared
    return launcher.unprepared if isinstance(launcher, Reserve) else launcher


def _is_alive(spare: Spawned) -> bool:
    try:
        return os.waitid(os.P_PID, spare.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # reaped by other code of this program, or by the kernel (SIGCHLD is ignored)
        return False


def _end(spare: Spawned) -> None:
    end_at_once(spare.pid)
    close_all((spare.stdin, spare.stdout, spare.stderr))
