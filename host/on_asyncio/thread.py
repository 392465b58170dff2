"""The thread in which trio runs for all event loops of a program: begun by its first user, ended by its last.

It is not trio's guest mode. There a handler that blocks its loop would also hold up what kills children that
exceed their limits, and a loop that is closed early would leave them behind.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import ClassVar, TypeVar

import trio

from flowcage.host.on_asyncio.outlasting import outlast

T = TypeVar("T")

THREAD_NAME = "flowcage"
# At the exit of a program that left runs: so long their children have to be killed and reaped.
_LAST_SECONDS = 30.0


class TrioThread:
    """One thread; made and ended by `lease`.

    Attributes:
        is_abandoned: whether the program exits, and its loops with it: nobody waits for handlers any more.
    """

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _current: ClassVar[TrioThread | None] = None
    _nursery: trio.Nursery

    def __init__(self) -> None:
        self.is_abandoned = False
        self._users = 0
        self._started: Future[trio.lowlevel.TrioToken] = Future()
        self._ended: Future[None] = Future()
        # A daemon: at exit, `_abandon` ends it. Otherwise the interpreter would wait for runs without an end.
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)

    @classmethod
    @asynccontextmanager
    async def lease(cls) -> AsyncIterator[TrioThread]:
        """A block in which the thread is there. Where the last one is left, it is gone afterwards."""
        thread = cls._enter()
        try:
            yield thread
        finally:
            if thread._leave():
                ended = asyncio.wrap_future(thread._ended)
                try:
                    await outlast(ended)
                finally:
                    thread._thread.join()

    @classmethod
    def current(cls) -> TrioThread:
        """The one that there is; for what runs in it, and for leases."""
        assert cls._current is not None
        return cls._current

    def start(self, context: Context, task: Callable[[], Awaitable[None]]) -> None:
        """Start a task, from any thread, with the variables of this context."""
        self.token.run_sync_soon(lambda: context.run(lambda: self._nursery.start_soon(task)))

    @classmethod
    def call(cls, function: Callable[[], T]) -> T:
        """Call a function that does not wait, from another thread; blocks for an instant."""
        thread = cls._current
        if thread is not None:
            with suppress(trio.RunFinishedError):
                return trio.from_thread.run_sync(function, trio_token=thread.token)
        return function()  # nothing runs that it could meet

    @property
    def token(self) -> trio.lowlevel.TrioToken:
        """Of its trio."""
        return self._started.result()

    @classmethod
    def _enter(cls) -> TrioThread:
        with cls._lock:
            thread = TrioThread._current
            if thread is None:
                thread = TrioThread._current = cls()
                thread._thread.start()
                atexit.register(thread._abandon)
                thread._started.result()
            thread._users += 1
            return thread

    def _leave(self) -> bool:
        with self._lock:
            self._users -= 1
            if self._users:
                return False
            TrioThread._current = None
        atexit.unregister(self._abandon)
        with suppress(trio.RunFinishedError):  # abandoned
            self.token.run_sync_soon(self._nursery.cancel_scope.cancel)
        return True

    @classmethod
    def forget(cls) -> None:
        """Have none, in a process that was forked: the thread is its parent's."""
        if cls._current is not None:
            atexit.unregister(cls._current._abandon)
        cls._current, cls._lock = None, threading.Lock()

    def _abandon(self) -> None:
        self.is_abandoned = True
        self.token.run_sync_soon(self._nursery.cancel_scope.cancel)
        self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        finally:
            self._ended.set_result(None)

    async def _main(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._started.set_result(trio.lowlevel.current_trio_token())
            await trio.sleep_forever()


os.register_at_fork(after_in_child=TrioThread.forget)
