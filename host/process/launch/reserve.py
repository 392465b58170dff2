"""Spares: children that are started and initialized, their cage closed, before a run needs them.

A `Reserve` stands between the runs of a tenant and its launcher. `launch` returns a spare that has answered
the first message and whose cage the kernel has confirmed, and a task starts the next one meanwhile, after the
run has its child. The first message has the limits. Most of them can be lowered for a run
(`greeting.to_lower`), so the usual spares serve all runs that ask for less, or for the same. For runs with
other limits there are spares of one further message, which two such runs in a row have asked for; one whose
limits nobody repeats gets a child without a first message.

Invariants:

- A spare has received the first message and nothing else, so it knows nothing of any run, and each is used
  once.
- A spare is handed out to a run that would have sent the same message, or one that only asks for lower
  limits, which the spare can lower; `Child` refuses any other.
- A spare whose answer is not as it should be is kept as one that was told and not judged. The run that gets
  it meets what is wrong, as it would with a child of its own.
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

import trio

from flowcage.host.outcome.errors import LaunchFailed, RunError
from flowcage.host.process.glances import Patience
from flowcage.host.process.launch.greeting import Greeting, can_lower, to_lower
from flowcage.host.process.launch.launcher import ClosableLauncher, Launcher, Spawned
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.process.reaping import end_spawned, is_zombie, prepared
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.messages import Initialize

# For each tenant. More would serve larger bursts, but every spare is an idle process with its memory.
_SPARES = 2
_READ_BYTES = 64 * 1024
_PATIENCE_SECONDS = Patience().wall_seconds


class _Shelf:
    """The spares that were told the same: `coming` are being started."""

    def __init__(self, initialize: Initialize) -> None:
        self.initialize = initialize
        self.greeting = Greeting(initialize)
        self.spares: deque[Spawned] = deque()
        self.coming = 0

    def suits(self, initialize: Initialize) -> bool:
        """Whether its spares could serve a run with another message, by lowering limits."""
        return to_lower(self.initialize, initialize) is not None and self.greeting.can_lower is not False

    def take(self, *, lowers: bool) -> Spawned | None:
        """The oldest spare that lives; one that was judged and can lower limits, where it `lowers` some."""
        while self.spares:
            spare = self.spares[0]
            if is_zombie(spare.pid) is not False:
                end_spawned(self.spares.popleft())
            elif lowers and (spare.initialized is None or not can_lower(spare.initialized)):
                break
            else:
                return self.spares.popleft()
        return None

    def end(self) -> None:
        while self.spares:
            end_spawned(self.spares.popleft())


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

    def of_child_workflow(self, initialize: Initialize) -> Launcher:
        """The same for a child workflow, of whose like none are kept ready: the CPU that is left is its
        own."""
        return _Other(self, initialize if self._usual.suits(initialize) else None)

    @property
    def coming(self) -> int:
        """Spares that are being started and asked."""
        return self._usual.coming + (0 if self._other is None else self._other.coming)

    async def launch(self) -> Spawned:
        """Hand out a spare, or start a child where there is none.

        Raises:
            LaunchFailed: there was no spare, and the launcher failed.
        """
        return await self._launch(self._usual)

    async def launch_other(self, initialize: Initialize | None) -> Spawned:
        """The same for a run with another first message; None for one that no spare can suit."""
        if initialize is not None and self._usual.suits(initialize):
            return await self._launch(self._usual, lowers=initialize != self._usual.initialize)
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

    async def _launch(self, shelf: _Shelf | None, *, lowers: bool = False) -> Spawned:
        if shelf is None:
            return await self._launcher.launch()
        while shelf.coming + len(shelf.spares) <= _SPARES and not self._is_closed:
            shelf.coming += 1
            self._start_soon(self._refill, shelf)
        if (spare := shelf.take(lowers=lowers)) is not None:
            return spare
        if lowers and not shelf.greeting.can_lower:
            return await self._launcher.launch()
        return await _told(self._launcher, shelf.greeting)

    async def _refill(self, shelf: _Shelf) -> None:
        distrusted = self._distrusted
        try:
            with suppress(LaunchFailed, OSError):  # the next `launch` meets the same error and raises it
                spare = await _greeted(prepared(await _told(self._launcher, shelf.greeting)), shelf.greeting)
                is_wanted = shelf in (self._usual, self._other) and not self._is_closed
                if is_wanted and self._distrusted == distrusted:
                    shelf.spares.append(spare)
                else:
                    end_spawned(spare)
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


def of_child_workflow(launcher: Launcher, initialize: Initialize) -> Launcher:
    """The launcher of a child workflow with this first message, from that of its parent."""
    reserve = launcher.reserve if isinstance(launcher, _Other) else launcher
    return reserve.of_child_workflow(initialize) if isinstance(reserve, Reserve) else launcher


async def _told(launcher: Launcher, greeting: Greeting) -> Spawned:
    """A child that has been sent the first message."""
    if isinstance(launcher, Zygote):
        child = await launcher.launch(greeting.message)
    else:
        child = await launcher.launch()
        with suppress(BrokenPipeError):  # it has ended already, as the end of its stdout tells
            os.write(child.stdin, greeting.line)  # an empty pipe has room for it
    return child._replace(initialize=greeting.message, sent_bytes=len(greeting.line))


async def _greeted(child: Spawned, greeting: Greeting) -> Spawned:
    """The same child, with its answer judged; it is ended where this is cancelled.

    An answer that is not as it should be, or none in time, is left to the run that gets the child: there it
    ends as if the run had asked itself.
    """
    said, initialized = bytearray(), None
    try:
        with trio.move_on_after(_PATIENCE_SECONDS):
            await _read_line(child.stdout, said)
        with suppress(RunError):
            initialized = greeting.judge(child.pid, bytes(said))
    except BaseException:
        end_spawned(child)
        raise
    return child._replace(said=bytes(said), initialized=initialized)


async def _read_line(descriptor: int, said: bytearray) -> None:
    """Add what a child sends until a line or its output ends, or until it is longer than an answer can be.

    What has come stays in `said` where this is cancelled: the run needs it to read on.
    """
    while not said.endswith(b"\n") and len(said) <= DEFAULT_MAX_MESSAGE_BYTES:
        await trio.lowlevel.wait_readable(descriptor)
        piece = os.read(descriptor, _READ_BYTES)
        if not piece:
            break
        said += piece
