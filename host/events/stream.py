"""The events of one run between a run that must not wait and a reader that may be slow."""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from typing import Self

import trio

from flowcage.host.events.records import Event, Gap, RunEnded, RunStarted
from flowcage.protocol import strictjson
from flowcage.protocol.limits import MIB

MAX_EVENTS = 10_000
MAX_BYTES = 4 * MIB


class EventStream:
    """A listener on one side, an async iterator over the same events on the other.

    Give it to one run as ``RunOptions(listener=stream)`` and read it in another task. Iterating ends after
    the run's `RunEnded`, which is never dropped. Other events are dropped while the buffer is full; one `Gap`
    stands where they are missing.

    Args:
        max_events: that wait to be read.
        max_bytes: that these may have as JSON; a single event may have more.
    """

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        for name, value in (("max_events", max_events), ("max_bytes", max_bytes)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._numbers = count()
        self._queue: OrderedDict[int, tuple[Event, int]] = OrderedDict()
        self._bytes = 0
        self._closed = False
        self._run_id: str | None = None
        self._readers = trio.lowlevel.ParkingLot()

    @classmethod
    def of(cls, run_id: str) -> Self:
        """A stream of a run whose first events may not be heard."""
        stream = cls()
        stream._run_id = run_id
        return stream

    def __len__(self) -> int:
        """Events that wait to be read, gaps included."""
        return len(self._queue)

    def __call__(self, event: Event) -> None:
        """Hear an event; never waits.

        Raises:
            ValueError: it is of another run, not one of its child workflows.
        """
        self._require_the_same_run(event)
        if self._closed:
            return
        if isinstance(event, RunEnded) and event.run_id == self._run_id:
            self.keep(event)
            self.close()
        elif self._has_room(event):
            self.keep(event)
        else:
            self._add(Gap(event.run_id, event.at, 1), 0)

    def keep(self, event: Event) -> int:
        """Add an event that may not be dropped, full or not; its number, for `withdraw`."""
        return self._add(event, size_of(event))

    def withdraw(self, number: int) -> None:
        """Take back an event of `keep`, unless it was read meanwhile."""
        _, size = self._queue.pop(number, (None, 0))
        self._bytes -= size

    def close(self) -> None:
        """Hear nothing more, and end the iteration after what waits already; needed where no run began."""
        self._closed = True
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._wait()
        if not self._queue:
            raise StopAsyncIteration
        _, (event, size) = self._queue.popitem(last=False)
        self._bytes -= size
        return event

    async def batch(self) -> list[Event]:
        """Wait for at least one event; all that there are. An empty list at the end."""
        await self._wait()
        events = [event for event, _ in self._queue.values()]
        self._queue.clear()
        self._bytes = 0
        return events

    async def _wait(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self._queue and not self._closed:
            await self._readers.park()

    def _wake(self) -> None:
        self._readers.unpark_all()

    def _require_the_same_run(self, event: Event) -> None:
        self._run_id = self._run_id or event.run_id
        if isinstance(event, RunStarted) and event.parent_run_id is None and event.run_id != self._run_id:
            raise ValueError("an EventStream is for one run; make another one for the next")

    def _has_room(self, event: Event) -> bool:
        if len(self._queue) >= self._max_events:
            return False
        return not self._queue or self._bytes + size_of(event) <= self._max_bytes

    def _add(self, event: Event, size: int) -> int:
        number = next(self._numbers)
        gap = self._last_gap()
        if gap is not None and isinstance(event, Gap):
            event = Gap(gap.run_id, gap.at, gap.dropped + event.dropped)
        elif gap is not None:
            self._queue[next(self._numbers)] = gap, 0
        self._queue[number] = event, size
        self._bytes += size
        self._wake()
        return number

    def _last_gap(self) -> Gap | None:
        """Take off the gaps at the end, as one; events between them may have been withdrawn."""
        gap: Gap | None = None
        while self._queue:
            last, _ = self._queue[next(reversed(self._queue))]
            if not isinstance(last, Gap):
                break
            self._queue.popitem()
            gap = last if gap is None else Gap(last.run_id, last.at, last.dropped + gap.dropped)
        return gap


def size_of(event: Event) -> int:
    """Characters of its JSON."""
    return len(strictjson.dumps(event.to_json()))
