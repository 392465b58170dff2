"""A write on its way to the disk, which can be awaited from trio or from a plain thread.

The committing thread settles tickets in groups. A waiter leaves its trio token and an event; the thread makes
one call into each trio loop for a whole group, so that a thousand waiting runs cost one wake-up. Nothing
polls. A ticket that nobody awaits costs nothing more, and its error is told to nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

import trio

T = TypeVar("T")

_LOCK = threading.Lock()  # held for a few assignments
_Waiter = tuple[trio.lowlevel.TrioToken, trio.Event] | threading.Event | Callable[[], None]


class Ticket(Generic[T]):
    """What one write led to.

    Attributes:
        is_done: whether it is known what the write led to.
    """

    __slots__ = ("_error", "_value", "_waiting", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self._value: Any = None
        self._error: Exception | None = None
        self._waiting: list[_Waiter] | None = None

    async def durable(self) -> T:
        """Wait until the write is durable. What it gave; raises what it failed with."""
        event = trio.Event()
        if self._wait_for((trio.lowlevel.current_trio_token(), event)):
            await event.wait()
        else:
            await trio.lowlevel.checkpoint()
        return self.outcome()

    def __await__(self) -> Generator[Any, Any, T]:
        return self.durable().__await__()

    def wait(self, timeout: float | None = None) -> T:
        """The same for a thread without trio. Raises TimeoutError, too."""
        event = threading.Event()
        if self._wait_for(event) and not event.wait(timeout):
            raise TimeoutError("the write was not committed in time")
        return self.outcome()

    def when_done(self, call: Callable[[], None]) -> None:
        """Call it, which raises nothing, when it is known what the write led to: in the committing thread."""
        if not self._wait_for(call):
            call()

    def outcome(self) -> T:
        """Of a ticket that is done."""
        assert self.is_done
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def _wait_for(self, waiter: _Waiter) -> bool:
        with _LOCK:
            if self.is_done:
                return False
            if self._waiting is None:
                self._waiting = []
            self._waiting.append(waiter)
            return True

    def _settle(self, value: Any, error: Exception | None) -> list[Any]:
        self._value, self._error = value, error
        self.is_done = True
        waiting, self._waiting = self._waiting, None
        return waiting or []


def settle(settled: Iterable[tuple[Ticket[Any], Any, Exception | None]]) -> None:
    """Tell a group of tickets what they led to: ticket, value and error of each."""
    events: dict[trio.lowlevel.TrioToken, list[trio.Event]] = {}
    with _LOCK:
        waiting = [each for ticket, value, error in settled for each in ticket._settle(value, error)]
    for each in waiting:
        if isinstance(each, threading.Event):
            each.set()
        elif callable(each):
            each()
        else:
            events.setdefault(each[0], []).append(each[1])
    for token, group in events.items():
        try:
            token.run_sync_soon(_set_all, group)
        except trio.RunFinishedError:  # nobody waits any more
            continue


def _set_all(events: list[trio.Event]) -> None:
    for event in events:
        event.set()
