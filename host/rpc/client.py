"""One client: its messages in, requests and events out, and what becomes of its runs when it is gone.

One task reads, and never waits for a run: it starts a task for each request, settles answers and takes
notifications itself. Where it has to refuse a line it waits until that is written, so a client that does not
read is asked for nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any, TypeAlias

import trio

from flowcage.host.durable.errors import AlreadyThere
from flowcage.host.events.records import Event
from flowcage.host.rpc import handlers
from flowcage.host.rpc.asks import Asks
from flowcage.host.rpc.problems import Refusal, error_line, invalid, refusal_of
from flowcage.host.rpc.run import RpcRun
from flowcage.host.rpc.told.hearing import Hearing
from flowcage.host.rpc.wire import MAX_MESSAGE_BYTES, ClientGone, Wire
from flowcage.host.terminal.log import logger, reason_of
from flowcage.protocol import envelope, strictjson
from flowcage.protocol.envelope import Answer, Incoming, Refused, TooLong
from flowcage.schemas.validate import host_error

MOST_OPEN = 1_000
_LONG_AT_ONCE = 4
# After the client has closed its side: for answers to what it had asked.
LAST_WORDS_SECONDS = 5.0
# What is asked for after one of these is carried out after it, though answers come in any order.
_STARTS = frozenset({"run.start", "run.attach", "run.resume"})
_LOG = logger("rpc")

Params: TypeAlias = dict[str, Any]
# Makes a result that may be long, when there is room to write it: few wait for a client that does not read.
Late: TypeAlias = Callable[[], Awaitable[Params]]
# Carries a request out: its result, and what is to be done once that is sent.
Method: TypeAlias = Callable[["Client", Params], Awaitable[tuple[Params | Late, Callable[[], None] | None]]]


class Client:
    """One connection.

    Args:
        wire: the connection.
        methods: by name.
        runs_of: the runs whose requests a client answers.
        can_be_followed: whether another client may come for them.

    Attributes:
        handlers: the kinds of request that it answers.
        goes_on: whether its runs go on without it.
        wants_events: whether it hears of runs where it does not say.
        is_ready: whether `initialize` was answered.
        left: set once none of its runs is its own any more.
    """

    def __init__(
        self,
        wire: Wire,
        methods: dict[str, Method],
        runs_of: Callable[[object], list[RpcRun]],
        *,
        can_be_followed: bool,
    ) -> None:
        self.handlers: frozenset[str] = frozenset()
        self.goes_on = self.wants_events = self.is_ready = False
        self.can_be_followed = can_be_followed
        self.left = trio.Event()
        self.asks = Asks(wire.send, self._send_later)
        self._wire = wire
        self._methods = methods
        self._runs_of = runs_of
        self._open = 0
        self._room = trio.CapacityLimiter(_LONG_AT_ONCE)
        self._none_open = trio.Event()
        self._hearing = Hearing(wire, lambda: self._none_open.set())
        self._is_closing = False
        self._begun: trio.Event | None = None  # set when what was asked to start is begun
        self._nursery: trio.Nursery | None = None

    async def serve(self) -> None:
        """Until the client is gone, and its runs are ended or left. Cancelled, it leaves them to the host."""
        try:
            try:
                await self._converse()
            except* ClientGone as group:
                _LOG.info("a client is gone: %s", reason_of(_first(group)))
            await self.leave()
        finally:
            with trio.CancelScope(shield=True):
                await self._wire.aclose()

    async def _converse(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            written = trio.Event()
            nursery.start_soon(self._write_all, written)
            await self._read_all()
            if self._begun is not None:
                await self._begun.wait()  # no run is begun after its client has left
            await self.leave()
            with trio.move_on_after(LAST_WORDS_SECONDS):
                await self._wait_for_open()
                self._wire.close()
                await written.wait()
            nursery.cancel_scope.cancel()

    async def _write_all(self, written: trio.Event) -> None:
        await self._wire.write()
        written.set()

    def follow(self, run: RpcRun) -> None:
        """Send the events of a run from now on."""
        assert self._nursery is not None
        self._hearing.follow(self._nursery, run, self)

    def tell(self, run_id: str, events: AsyncGenerator[Event]) -> None:
        """Send these events of a run that no client answers for."""
        assert self._nursery is not None
        self._hearing.tell(self._nursery, run_id, events)

    # ---- in ----------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        async for line in self._wire.read():
            if isinstance(line, TooLong):
                why = f"the line is longer than maxMessageBytes ({line.limit})"
                await self._refuse(None, Refusal("message_too_large", why))
                continue
            message = envelope.parse_message(line.data)
            if isinstance(message, Answer):
                self.asks.settle(message)
            elif isinstance(message, Refused):
                kind = message.error.kind
                await self._refuse(message.id, Refusal(kind, message.error.message))
            elif message.id is None:
                self._notified(message)
            else:
                await self._request(message)
                if self._is_closing:
                    return

    async def _request(self, asked: Incoming) -> None:
        if self._open >= MOST_OPEN:
            await self._refuse(asked.id, Refusal("too_many_requests", f"{MOST_OPEN} requests are unanswered"))
            return
        assert self._nursery is not None
        self._open += 1
        if asked.method == "shutdown":
            self._is_closing = self._is_fine(asked)
        if asked.method == "initialize" or self._is_closing:
            await self._answer(asked, self._begun)  # nothing that comes after may overtake it
        else:
            begun = trio.Event()
            self._nursery.start_soon(self._answer, asked, self._begun, begun)
            if asked.method in _STARTS:
                self._begun = begun

    def _is_fine(self, asked: Incoming) -> bool:
        return host_error(f"{asked.method}.params", asked.params) is None

    def _notified(self, told: Incoming) -> None:
        if told.method != "agent.progress" or host_error("agent.progress.params", told.params) is not None:
            return
        asked = self.asks.get(told.params["id"])
        if asked is not None and asked.call is not None:
            asked.call.tell(handlers.progress_of(told.params))

    # ---- out ---------------------------------------------------------------------------------

    async def _answer(
        self, asked: Incoming, before: trio.Event | None = None, begun: trio.Event | None = None
    ) -> None:
        told: Params | Late | Exception
        after = None
        try:
            if before is not None:
                await before.wait()
            told, after = await self._carried_out(asked)
        except Exception as error:
            told = error
        if begun is not None:
            begun.set()
        try:
            async with self._room if callable(told) else nullcontext():
                await self._wire.send(await self._line(asked, told))
        finally:
            if after is not None:
                after()
            self._open -= 1
            self._none_open.set()

    async def _line(self, asked: Incoming, told: Params | Late | Exception) -> bytes:
        try:
            if isinstance(told, Exception):
                raise told
            result = await told() if callable(told) else told
            line = envelope.result(asked.id, strictjson.dumps(result))  # type: ignore[arg-type]
            _require_sendable(line)
        except Exception as error:
            return error_line(asked.id, self._refusal(error, asked))
        return line

    async def _carried_out(self, asked: Incoming) -> tuple[Params | Late, Callable[[], None] | None]:
        if not self.is_ready and asked.method != "initialize":
            raise Refusal("invalid_state", f"{asked.method[:80]} before initialize")
        method = self._methods.get(asked.method)
        if method is None:
            raise Refusal("method_not_found", f"there is no method {asked.method[:80]!r}")
        violation = host_error(f"{asked.method}.params", asked.params)
        if violation is not None:
            raise invalid(asked.method, violation.path, violation.message)
        return await method(self, asked.params)

    def _refusal(self, error: Exception, asked: Incoming) -> Refusal:
        params = asked.params if isinstance(asked.params, dict) else {}
        named = params.get("newRunId" if isinstance(error, AlreadyThere) else "runId")
        refusal = refusal_of(error, asked.method, str(named or params.get("runId", "")))
        if refusal is None:
            _LOG.error("%s failed: %s", asked.method, reason_of(repr(error)))
            return Refusal("internal", f"internal error: {type(error).__name__}")
        return refusal

    async def _refuse(self, identifier: Any, refusal: Refusal) -> None:
        await self._wire.send(error_line(identifier, refusal))

    def _send_later(self, line: bytes) -> None:
        if self._nursery is not None and not self.left.is_set():
            self._nursery.start_soon(self._wire.send, line)

    # ---- the end -----------------------------------------------------------------------------

    async def leave(self) -> None:
        """Give its runs up: they are ended, or left to go on."""
        if self.left.is_set():
            return
        runs = self._runs_of(self)
        for run in runs:
            run.detach()
        self.left.set()
        self.asks.end()
        if not self.goes_on:
            async with trio.open_nursery() as nursery:
                for run in runs:
                    run.cancel_reason = run.cancel_reason or "its client is gone"
                    if run.cancel is not None and not run.is_elsewhere():
                        nursery.start_soon(run.cancel)
        elif not self.can_be_followed:
            for run in runs:
                await run.over.wait()

    async def _wait_for_open(self) -> None:
        while self._open or self._hearing.open:
            self._none_open = trio.Event()
            await self._none_open.wait()


def _require_sendable(line: bytes) -> None:
    """Refuse an answer that no line takes: escapes may make a value longer than a child sent it."""
    if len(line) > MAX_MESSAGE_BYTES:
        why = f"the answer has {len(line):,} bytes, more than maxMessageBytes ({MAX_MESSAGE_BYTES:,})"
        raise Refusal("message_too_large", why)


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
