"""Events on their way from the host's thread to a listener on a loop.

The host must not wait for the loop, and the loop may be held up by a handler that blocks it. So what waits
meanwhile is bounded, by number and by bytes: beyond that a `Gap` stands where events are missing, one for
each run. The end of a run is never dropped. While the loop is not held up, there is one event or a few, and
nothing is weighed.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from flowcage.host.events import listener_log
from flowcage.host.events.records import Event, Gap, Listener, RunEnded
from flowcage.host.events.stream import MAX_BYTES, MAX_EVENTS, size_of
from flowcage.host.on_asyncio.place import Place
from flowcage.host.on_asyncio.thread import TrioThread


class Listening:
    """The listener that the host calls, in its thread.

    What the program's listener raised ends the run that the event was of, at its next event.

    Args:
        place: whose loop calls the program's listener.
        listener: the program's.
    """

    def __init__(self, place: Place, listener: Listener) -> None:
        self._place = place
        self._listener = listener
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._gaps: dict[str, Gap] = {}
        self._bytes = 0
        self._is_due = False
        self._failures: dict[str, Exception] = {}

    def __eq__(self, other: object) -> bool:
        """Whether the program gave the same."""
        if not isinstance(other, Listening):
            return NotImplemented
        return self._place == other._place and self._listener == other._listener

    __hash__ = object.__hash__

    def __call__(self, event: Event) -> None:
        """Pass an event on; never waits."""
        if (failure := self._failures.pop(event.root_run_id, None)) is not None:
            raise failure
        if TrioThread.current().is_abandoned:
            return
        with self._lock:
            self._keep(event)
            if not self._is_due:
                self._place.loop.call_soon_threadsafe(self._hear)
                self._is_due = True

    def _keep(self, event: Event) -> None:
        root = event.root_run_id
        if is_end(event) and (gap := self._gaps.pop(root, None)) is not None:
            self._waiting.append(gap)
        if is_end(event) or self._has_room(event):
            self._waiting.append(event)
        else:
            gap = self._gaps.get(root) or Gap(root, event.at, 0, root_run_id=root, tenant=event.tenant)
            self._gaps[root] = replace(gap, dropped=gap.dropped + 1)

    def _has_room(self, event: Event) -> bool:
        if not self._waiting:
            self._bytes = 0
            return True
        if event.root_run_id in self._gaps or len(self._waiting) >= MAX_EVENTS:
            return False
        self._bytes += (size := size_of(event))
        if self._bytes > MAX_BYTES:
            self._bytes -= size
            return False
        return True

    def _hear(self) -> None:
        """On the loop."""
        with self._lock:
            waiting, self._waiting, self._is_due = [*self._waiting, *self._gaps.values()], [], False
            self._gaps.clear()
        for event in waiting:
            self._hear_one(event)

    def _hear_one(self, event: Event) -> None:
        root = event.root_run_id
        if root not in self._failures:
            try:
                self._listener(event)
            except Exception as error:
                self._failures[root] = error
        if is_end(event) and (failure := self._failures.pop(root, None)) is not None:
            listener_log.failed_at_the_end(event, failure)


def is_end(event: Event) -> bool:
    """Whether it is the last one of a run that the host started."""
    return isinstance(event, RunEnded) and event.run_id == event.root_run_id
