"""Handlers and listeners of an asyncio program, as the host calls them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import trio

from flowcage.host.agents.answer import Progress
from flowcage.host.agents.call import AgentCall, Memory
from flowcage.host.events.records import Listener
from flowcage.host.events.stream import EventStream as EventStreamOnTrio
from flowcage.host.on_asyncio.crossing import in_host, on_loop
from flowcage.host.on_asyncio.listening import Listening
from flowcage.host.on_asyncio.place import Place
from flowcage.host.on_asyncio.stream import EventStream
from flowcage.host.run.options import Caller, Handlers, KeptChild, RunOptions
from flowcage.protocol.messages import NO_MODULES, Json

T = TypeVar("T")

_NAMES = ("agent", "workflow", "sandbox_exec", "ask")


def options_at(place: Place, options: RunOptions) -> RunOptions:
    """The same options, with handlers that run at their place."""
    handlers = {name: _handler(place, getattr(options, name)) for name in _NAMES}
    return replace(options, listener=_listener(place, options.listener), **handlers)


def handlers_at(place: Place, handlers: Handlers) -> Handlers:
    """The same handlers, at their place."""
    return Handlers(*(_handler(place, each) for each in handlers))


def at(place: Place, given: Any) -> Any:
    """An argument of a call, with the handlers in it at their place."""
    if isinstance(given, RunOptions):
        return options_at(place, given)
    return handlers_at(place, given) if isinstance(given, Handlers) else given


def on_this_loop(handler: T) -> T:
    """Have an async function of this program called on the event loop that runs now.

    It is for agents that are given to flowcage's own, such as `route` and `cached`: these run in the host's
    thread. What is given to `RunOptions` and `Handlers` itself needs no mark.

    Raises:
        RuntimeError: no event loop runs.
    """
    return _Handler(Place.here(), handler)  # type: ignore[return-value]


def _handler(place: Place, handler: Any) -> Any:
    if handler is None or not callable(handler) or _is_of_host(handler):
        return handler
    return _Handler(place, handler)


def _listener(place: Place, listener: Listener | None) -> Listener | None:
    if isinstance(listener, EventStream):
        return Listening(place, listener)
    if isinstance(listener, EventStreamOnTrio):
        raise TypeError("this EventStream is read on trio: import it from flowcage.asyncio")
    if listener is None or _is_of_host(listener):  # such as that of `spans`, which makes a span current
        return listener
    return Listening(place, listener)


def _is_of_host(handler: Any) -> bool:
    """Whether its code is flowcage's own, which runs on trio."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not (inspect.isroutine(handler) or isinstance(handler, type)):
        handler = type(handler).__call__
    return (getattr(handler, "__module__", None) or "").startswith("flowcage.host.")


class _Handler:
    def __init__(self, place: Place, handler: Any) -> None:
        self._place = place
        self._handler = handler

    def __eq__(self, other: object) -> bool:
        """Whether the program gave the same: a worker takes runs only for the handlers of its host."""
        if not isinstance(other, _Handler):
            return NotImplemented
        return bool(self._place == other._place and self._handler == other._handler)

    __hash__ = object.__hash__

    async def __call__(self, *args: Any) -> Any:
        place = self._place
        given = [_at_loop(place, each) for each in args]
        return await on_loop(place.loop, self._handler, *given)


def _at_loop(place: Place, given: Any) -> Any:
    if isinstance(given, AgentCall):
        return _call_at(place, given)
    return _CallerAt(given) if hasattr(given, "run_child") else given


def _call_at(place: Place, call: AgentCall) -> AgentCall:
    """A call whose notes and progress come to the host, with its deadline on the loop's clock."""
    token, watcher = trio.lowlevel.current_trio_token(), call.watcher

    def watch(progress: Progress) -> None:
        assert watcher is not None
        token.run_sync_soon(watcher, progress)

    return replace(
        call,
        deadline=call.deadline - trio.current_time() + place.loop.time(),
        memory=None if call.memory is None else _MemoryAt(call.memory),
        watcher=None if watcher is None else watch,
    )


class _MemoryAt:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @property
    def request(self) -> str:
        return self._memory.request

    async def keep(self, handle: str) -> None:
        await in_host(lambda: self._memory.keep(handle))


class _CallerAt:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.id = caller.id
        self.source_name = caller.source_name
        self.depth = caller.depth

    @property
    def kept(self) -> KeptChild | None:
        return self._caller.kept

    async def run_child(
        self, source: str, source_name: str, args: Json, modules: Mapping[str, str] = NO_MODULES
    ) -> Json:
        return await in_host(lambda: self._caller.run_child(source, source_name, args, modules))
