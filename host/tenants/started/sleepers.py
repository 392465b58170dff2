"""Wakes the runs of a host that are asleep in its store, and takes up those of it that nobody has.

One task for all. It looks at the store when there is news, when the next run is due by the store's clock, and
from time to time, since neither a clock that is set nor the death of another host is news. A run that is
asleep costs an entry in a dictionary and one in a heap.

- A run is woken once: who wakes it has taken it out of the dictionary. Whether it may go on the store
  decides, by its claim.
- So many are being woken at once, and no more, until each has its turn: ten thousand that are due together
  are ten thousand rows and not as many tasks.
- A run that cannot be taken up is left alone for a while.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush

import trio

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.durable.records import Filter
from flowcage.host.durable.store import Store
from flowcage.host.resume.sleep.asleep import LOOK_SECONDS

# Runs that were woken, or are taken up, and have no turn yet.
MAX_WAKING = 50
_ALL = 2**31
# Runs that are looked at beyond those that were refused before.
MOST_CLAIMABLE = 1000
# A host that takes up runs looks for dead owners as often.
LOOK_FOR_DEAD_SECONDS = 2.0
REFUSED_SECONDS = 600.0
# Between two looks, however much news there is: each end of a run is some for all hosts.
_PAUSE_SECONDS = 0.01


class Sleepers:
    """Of one host.

    Args:
        store: of the host.
        take_up: begins to go on with a run that nobody has, and says later by `begun` that it has its turn,
            or by `refuse` that it cannot be taken up; None where none is taken up.
    """

    def __init__(self, store: Store, take_up: Callable[[str], None] | None) -> None:
        self._store = store
        self._take_up = take_up
        self._wake: dict[str, Callable[[], None]] = {}
        self._due: list[tuple[int, str]] = []
        self._waking: set[str] = set()
        self._refused: dict[str, float] = {}
        self._changed = trio.Event()
        self._counted_at = -math.inf

    def add(self, run_id: str, wake_at: int | None, wake: Callable[[], None]) -> None:
        """Have `wake` called when there is something to do for a run that has fallen asleep.

        Args:
            run_id: of the run.
            wake_at: when it is due; None where it waits for an answer only.
            wake: called once; it must be followed by `begun`.
        """
        self._wake[run_id] = wake
        if wake_at is not None:
            heappush(self._due, (wake_at, run_id))
        self._changed.set()

    def forget(self, run_id: str) -> None:
        """Wake a run no more."""
        self._wake.pop(run_id, None)
        if len(self._due) > 2 * len(self._wake) + 100:  # of those that were forgotten
            self._due = sorted(each for each in self._due if each[1] in self._wake)

    def begun(self, run_id: str) -> None:
        """A run that was woken or taken up has its turn, or will have none."""
        if run_id in self._waking:
            self._waking.discard(run_id)
            self._changed.set()

    def refuse(self, run_id: str, seconds: float = REFUSED_SECONDS) -> None:
        """Leave a run alone for a while: it cannot be taken up."""
        self._refused[run_id] = trio.current_time() + seconds
        self.begun(run_id)

    def close(self) -> None:
        """Wake and take up nothing more: what a closing host leaves is claimable, by itself too."""
        self._wake.clear()
        self._due.clear()
        self._take_up = None

    def __len__(self) -> int:
        return len(self._wake)

    async def run(self) -> None:
        """Wake and take up, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            while True:
                self._changed = trio.Event()
                try:
                    self._wake_what_is_due()
                    await self._look()
                    pause = await self._pause_seconds()
                except (StoreError, StoreFailed):  # the runs are safe; the store may be back later
                    pause = LOOK_SECONDS
                with trio.move_on_after(pause):
                    await self._changed.wait()
                await trio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        while True:
            await self._store.news()
            self._changed.set()

    def _wake_what_is_due(self) -> None:
        now = self._store.now()
        while self._due and self._due[0][0] <= now and self._has_room:
            self._wake_one(heappop(self._due)[1])

    async def _look(self) -> None:
        """Wake what was answered or is to end; take up what nobody has."""
        now = trio.current_time()
        if now - self._counted_at >= LOOK_SECONDS:
            self._counted_at = now
            await self._wake_what_sleeps_no_more()
        if not self._wake and self._take_up is None:  # as in a worker, whose sleepers are the queue's
            return
        self._refused = {run_id: until for run_id, until in self._refused.items() if until > now}
        known = len(self._refused) + len(self._waking)
        for run_id, _why in await self._store.claimable(MOST_CLAIMABLE + known):
            if not self._has_room:
                return
            if run_id in self._wake:
                self._wake_one(run_id)
            elif self._take_up is not None and run_id not in self._refused and run_id not in self._waking:
                self._waking.add(run_id)
                self._take_up(run_id)

    async def _wake_what_sleeps_no_more(self) -> None:
        """Another host has woken these runs, or ended them: whoever waits for them finds out."""
        if not (names := set(self._wake)):
            return
        asleep = await self._store.runs(Filter(states=("asleep",), limit=_ALL))
        for run_id in names - {each.run_id for each in asleep}:
            self._wake_one(run_id)

    def _wake_one(self, run_id: str) -> None:
        wake = self._wake.pop(run_id, None)
        if wake is not None:
            self._waking.add(run_id)
            wake()

    @property
    def _has_room(self) -> bool:
        return len(self._waking) < MAX_WAKING

    async def _pause_seconds(self) -> float:
        """How long to wait for news; where there is no room, `begun` is awaited."""
        if not self._has_room:
            return math.inf
        dues = [self._due[0][0]] if self._due else []
        longest = LOOK_SECONDS
        if self._take_up is not None:
            longest = LOOK_FOR_DEAD_SECONDS
            if (others := await self._store.next_due()) is not None:
                dues.append(others)
        left = [(due - self._store.now()) / 1000 for due in dues]
        # What is due and still there was refused, or is being taken up by somebody else.
        return min([longest, *(each for each in left if each > 0)])
