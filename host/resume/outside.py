"""What is given to live runs from outside: answers to their questions, and requests to end them.

There is one `Outside` for each store that is open. It alone waits for the store's news, since the descriptor
that tells of them can be waited for by one task; others wait for `news` here. After each news it asks the
store once which of this host's runs were given something, and reads only what these were given, so a thousand
live runs cost one read. News can be lost, where who answered was killed between the commit and the telling:
therefore it looks from time to time without any, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import trio

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.durable.records import Cancel, FromOutside
from flowcage.host.durable.store import Store
from flowcage.host.run.core.inputs import Answered, Refused
from flowcage.protocol.messages import AskRequest

POLL_SECONDS = 10.0
# Before a store that cannot be read is asked again.
_PAUSE_SECONDS = 1.0
# Between two looks, however much news there is: each end of a run is some for all hosts.
_PACE_SECONDS = 0.03


class Ear(Protocol):
    """A live run, as it is told what it is given. Its methods must not raise."""

    def take(self, answer: Answered | Refused) -> None:
        """An answer; each comes once."""

    def end(self, cancel: Cancel) -> None:
        """Somebody asked for the run to end; this comes once."""

    def question(self, request: str) -> AskRequest | None:
        """The question with this id, if the run waits for its answer."""


@dataclass
class _Hearing:
    """One live run, and what it has been told."""

    ear: Ear
    told: set[str] = field(default_factory=set)
    is_cancelled: bool = False


class Outside:
    """Of one store that this host has open.

    Args:
        store: that is watched.
        poll_seconds: after which it is looked at without news.
    """

    def __init__(self, store: Store, poll_seconds: float = POLL_SECONDS) -> None:
        self._store = store
        self._poll_seconds = poll_seconds
        self._runs: dict[str, _Hearing] = {}
        self._unheard: set[str] = set()
        self._is_wanted = False
        self._waiting = trio.CancelScope()
        self._count = 0
        self._news = trio.Event()

    async def watch(self) -> None:
        """Tell live runs what they were given, until cancelled."""
        while True:
            await self._wait()
            self._count += 1
            self._news.set()
            self._news = trio.Event()
            try:
                await self._look()
            except (StoreError, StoreFailed, OSError):  # it may be back soon; who writes to it hears of it
                await trio.sleep(_PAUSE_SECONDS)
                self._is_wanted = True
            else:
                await trio.sleep(_PACE_SECONDS)

    async def news(self, seen: int) -> int:
        """Wait until there may be something new in the store.

        Args:
            seen: what the call before has returned; 0 at first.
        """
        while self._count <= seen:
            await self._news.wait()
        return self._count

    @contextmanager
    def hearing(self, run_id: str, ear: Ear, *, is_new: bool) -> Iterator[None]:
        """Tell a run what it is given, for the length of a block.

        Args:
            run_id: in the store; this host has it.
            ear: is told.
            is_new: whether this host began it, so that nothing can have been given to it before.
        """
        self._runs[run_id] = _Hearing(ear)
        if not is_new or run_id in self._unheard:
            self.look()
        try:
            yield
        finally:
            del self._runs[run_id]

    def question(self, run_id: str, request: str) -> AskRequest | None:
        """A question of a live run of this host's."""
        hearing = self._runs.get(run_id)
        return None if hearing is None else hearing.ear.question(request)

    def forget(self, run_id: str, request: str) -> None:
        """An answer that a run was told of is gone from the store: the next one is told anew."""
        if (hearing := self._runs.get(run_id)) is not None:
            hearing.told.discard(request)
            self.look()

    def look(self) -> None:
        """Have the store looked at without news."""
        self._is_wanted = True
        self._waiting.cancel()

    async def _wait(self) -> None:
        with trio.move_on_after(self._poll_seconds) as self._waiting:
            if not self._is_wanted:
                await self._store.news()
        self._is_wanted = False

    async def _look(self) -> None:
        found = await self._store.outside()
        self._unheard = {each.run_id for each in found if each.run_id not in self._runs}
        for each in found:
            if (hearing := self._runs.get(each.run_id)) is not None:
                await self._tell(each, hearing)

    async def _tell(self, found: FromOutside, hearing: _Hearing) -> None:
        if found.cancel is not None and not hearing.is_cancelled:
            hearing.is_cancelled = True
            hearing.ear.end(found.cancel)
        new = found.requests - hearing.told
        if not new:
            return
        hearing.told |= new
        for given in await self._store.answers(found.run_id):
            if given.request in new and self._runs.get(found.run_id) is hearing:
                hearing.ear.take(given.answer)


@asynccontextmanager
async def watched(store: Store) -> AsyncIterator[Outside]:
    """A watcher of a store, for the length of a block. Its errors are those of the block, in no group."""
    outside, failure = Outside(store), None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outside.watch)
        try:
            yield outside
        except Exception as error:  # raised outside the nursery, which would wrap it
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
