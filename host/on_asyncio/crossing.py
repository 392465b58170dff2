"""Awaiting what runs on the other side: asyncio's calls in the host, and the host's in asyncio.

Whoever awaits waits to the end, also when it is cancelled: cancellation is passed on, and what was called
ends first. So a cancelled task of the program has no child left, and an ended run no task of a handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import Context, copy_context
from typing import Any, TypeVar

import trio

from flowcage.host.on_asyncio.outlasting import outlast
from flowcage.host.on_asyncio.thread import TrioThread
from flowcage.host.outcome.errors import FlowcageError, HostClosing

T = TypeVar("T")

# How often a run that was cancelled looks whether the loop of its handler still runs.
_LOOK_SECONDS = 0.1
# How often a run that waits for its handler does: nobody is told of the end of a loop.
_CLOSED_SECONDS = 5.0


class HandlerCancelled(FlowcageError):
    """A handler's task on the program's event loop was cancelled, and not by its run."""


async def in_host(function: Callable[[], Awaitable[T]]) -> T:
    """Await a function of the host, from asyncio.

    Raises:
        Exception: its own.
        HostClosing: the program exits.
    """
    async with TrioThread.lease() as thread:
        return await _in_thread(thread, function)


in_host_now = TrioThread.call


async def _in_thread(thread: TrioThread, function: Callable[[], Awaitable[T]]) -> T:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    scope = trio.CancelScope()
    given: list[T] = []
    raised: list[Exception] = []

    async def work() -> None:
        try:
            with scope:
                given.append(await function())
        except Exception as error:
            raised.append(error)
        finally:
            _tell_loop(loop, _settle, ended)

    thread.start(copy_context(), work)
    await outlast(ended, lambda: thread.token.run_sync_soon(scope.cancel))
    if raised:
        try:
            raise raised[0]
        finally:
            raised.clear()  # else the traceback would hold its own frame
    if not given:
        raise HostClosing
    return given[0]


@asynccontextmanager
async def held(manager: AbstractAsyncContextManager[T, Any]) -> AsyncIterator[T]:
    """Hold a block of the host open, in one task of its own, while this block is open on asyncio."""
    loop = asyncio.get_running_loop()
    entered: asyncio.Future[T] = loop.create_future()
    leaving = trio.Event()

    async def hold() -> None:
        async with manager as given:
            _tell_loop(loop, _settle, entered, given)
            await leaving.wait()

    holding = loop.create_task(in_host(hold))
    try:
        both: list[asyncio.Future[Any]] = [entered, holding]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not entered.done():
            await holding  # raises what entering raised
        yield entered.result()
    finally:
        if entered.done() and not holding.done():
            TrioThread.current().token.run_sync_soon(leaving.set)
        else:
            holding.cancel()
        await outlast(holding, holding.cancel)
        if not holding.cancelled() and (failure := holding.exception()) is not None:
            raise failure


async def on_loop(loop: asyncio.AbstractEventLoop, handler: Any, *args: Any) -> Any:
    """Await a function of the program on its event loop, from the host.

    Raises:
        Exception: its own.
        HandlerCancelled: its task was cancelled, by the program.
        RuntimeError: the loop is closed.
    """
    call = _Call(handler, args)
    loop.call_soon_threadsafe(call.begin, loop)
    try:
        await _until_ended(call, loop)
    except trio.Cancelled:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(call.cancel)
        with trio.CancelScope(shield=True):
            while not call.ended.is_set() and loop.is_running() and not TrioThread.current().is_abandoned:
                with trio.move_on_after(_LOOK_SECONDS):
                    await call.ended.wait()
        raise
    return call.result()


async def _until_ended(call: _Call, loop: asyncio.AbstractEventLoop) -> None:
    while not call.ended.is_set():
        with trio.move_on_after(_CLOSED_SECONDS):
            await call.ended.wait()
        if loop.is_closed() and not call.ended.is_set():
            raise RuntimeError("the event loop was closed on which the handler was at work")


class _Call:
    """One call of a handler; but for `ended` it is the loop's."""

    def __init__(self, handler: Any, args: tuple[Any, ...]) -> None:
        self.ended = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        # A task's of the run: with the span of the call, where there is one, and the caller's variables.
        self._context: Context = copy_context()
        self._work: Any = (handler, args)
        self._task: asyncio.Task[Any] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        handler, args = self._work

        async def work() -> Any:
            return await handler(*args)

        self._task = loop.create_task(work(), name="flowcage handler", context=self._context)
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        assert self._task is not None
        self._task.cancel()

    def result(self) -> Any:
        assert self._task is not None
        if self._task.cancelled():
            raise HandlerCancelled("the handler's task was cancelled")
        return self._task.result()

    def _end(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            task.exception()  # somebody looked: asyncio logs nothing
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self.ended.set)


def _tell_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    with suppress(RuntimeError):  # it is closed: nobody waits
        loop.call_soon_threadsafe(function, *args)


def _settle(future: asyncio.Future[Any], value: Any = None) -> None:
    if not future.done():
        future.set_result(value)
