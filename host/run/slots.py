"""Who waits for a slot: callbacks, not tasks, so that ten thousand who wait cost the event loop nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import trio

from flowcage.host.outcome.figures import Attempted
from flowcage.host.process.glances import Glances
from flowcage.host.process.launch.launcher import Launcher

# Called when its slot is there; False gives the slot back at once, because nobody wants it any more.
Begin: TypeAlias = Callable[[], bool]


class Slots:
    """A semaphore that many runs may share, first come, first served.

    Args:
        count: slots that may be held at once.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._queue: deque[Begin] = deque()

    def queue(self, begin: Begin) -> None:
        """Have `begin` called when a slot is free; whoever took it gives it back with `release`."""
        self._queue.append(begin)
        self._grant()

    def take(self) -> bool:
        """Take a slot that is free now, as `queue` would give it to one who comes next."""
        if not self._free or self._queue:
            return False
        self._free -= 1
        return True

    def withdraw(self, begin: Begin) -> None:
        """Forget one that waits, if it does."""
        with suppress(ValueError):
            self._queue.remove(begin)

    def release(self) -> None:
        """Give a slot back."""
        self._free += 1
        self._grant()

    def _grant(self) -> None:
        while self._free and self._queue:
            self._free -= 1
            if not self._queue.popleft()():
                self._free += 1


class StartQueue:
    """Begins the requests of one run in the order in which the core asks for them.

    Trio wakes the tasks of one batch in random order, so the next request begins only when the task of the
    one before it is running and has said `started`. So a run also never has more than one place in the queue
    of the `outer` slots, and ten thousand calls of one run hold up another run's by one.

    Args:
        outer: where each needs a slot.
    """

    def __init__(self, outer: Slots | None = None) -> None:
        self._outer = outer
        self._queue: deque[Begin] = deque()
        self._starting = False

    def join(self, begin: Begin) -> None:
        """Take a place at the end; `begin` starts a task that calls `started` first and `release` last."""
        if not (self._starting or self._queue) and (self._outer is None or self._outer.take()):
            self._starting = begin()
            if not self._starting:
                self.release()
            return
        self._queue.append(begin)
        self._next()

    def started(self) -> None:
        """The task of the request that began last is running."""
        self._starting = False
        self._next()

    def release(self) -> None:
        """The task of a request is done."""
        if self._outer is not None:
            self._outer.release()

    def close(self) -> None:
        """Forget all that wait: the run is over, and a slot of the outer ones may be long in coming."""
        self._queue.clear()
        if self._outer is not None:
            self._outer.withdraw(self._begin_first)

    def _next(self) -> None:
        if self._queue and not self._starting:
            self._starting = True
            if self._outer is not None:
                self._outer.queue(self._begin_first)
            else:
                self._begin_first()

    def _begin_first(self) -> bool:
        while self._queue:
            if self._queue.popleft()():
                return True
        self._starting = False
        return False


def _uncharged(_pid: int, _inherited_bytes: int) -> AbstractContextManager[None]:
    return nullcontext()


class Share(NamedTuple):
    """Of one run with its child workflows.

    Attributes:
        tenant: its name in events.
        slots: that the tenant's runs share, by kind of request; each request at work needs one.
        checkers: slots for the checks of schemas; None for some of the run's own.
        glances: look at the children of all runs; None for some of each child's own.
        launcher: starts the root's child; None for that of its options.
        attempted: is told of each attempt of an agent; None for nobody.
        process: entered with the id of each process and the memory it inherited, left when that has ended.
    """

    tenant: str = ""
    slots: Mapping[str, Slots] = MappingProxyType({})
    checkers: trio.CapacityLimiter | None = None
    process: Callable[[int, int], AbstractContextManager[None]] = _uncharged
    glances: Glances | None = None
    launcher: Launcher | None = None
    attempted: Attempted | None = None
