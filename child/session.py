"""The session: bytes from the host in, replies out. All of the child's behaviour, without I/O of its own.

Who calls it: `serve`, with what it reads from the wire; a zygote, to run one workflow before it forks; and
tests, which replay transcripts on it (`tests/protocol/test_transcripts.py`). The cage and the high water are
passed in. A session serves one run. `ChildConnection` decides what may come when; no method here checks the
state.

A line of the usual form takes the short cut: `_short_reply`. Where it cannot, or fills the heap on the way,
it goes as if it had just come: nothing was answered, and what was begun is found as it stands (`_current`).

The way of any other message: `next_event` → `_answer` → `_carry_out` → `carried_out` → `_encode`. Lines are
taken one at a time, because `initialize` changes the longest line for those behind it. `carried_out` is
called before the next line is judged, also for a message that failed, because the next one's state depends
on it.

Replies are collected in `_ready`, and go out before a message that may take long. An acknowledged `resolve`
alone does not go out at once: it is sent with the drain behind it, in one write
(`tests/child/test_pipelining.py`).

Three ways to run out of memory:

- A heap over `memoryBytes`. The engine does not survive a failed allocation (`engine.heap`), so its allocator
  calls `_heap_is_full`, which serves the rest of the session from there, above the engine's C frames, and
  never returns. The run is ended inside `serve_above_engine`, by the generator, and not before it is called:
  an exception raised earlier would return through ctypes into the engine
  (`tests/child/test_heap.py::test_the_engine_does_not_go_on_where_even_the_end_of_the_run_fails`). `_current`
  has the message that is answered then; it is set before anything is carried out.
- Python's own memory, under RLIMIT_AS: a MemoryError. `free_heap` ends the run and frees the engine's heap,
  which is what has filled the address space. The session goes on.
- A realm that does not fit its limits: the answer to `start` and to all that follows (`ChildRun`).

`_encode` checks each reply of a run as the host would: one that is too long, or nested too deep, ends the run
as `limit`, instead of a line that the host must take for a broken child.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from flowcage._hints import NamedTuple, NoReturn, Self, TypeAlias
from flowcage.child.cage.highwater import HighWater
from flowcage.child.introduction import introduction, require_version
from flowcage.child.reply_check import refusal_reason
from flowcage.child.run import ChildRun
from flowcage.child.sandbox.crossing import UsualLine
from flowcage.child.sandbox.program import load_readers
from flowcage.child.sandbox.realm import Realm
from flowcage.child.short_cut import usual_line
from flowcage.protocol import envelope, errors
from flowcage.protocol.connection import ChildConnection, ChildEvent, ConnectionClosed, Received
from flowcage.protocol.envelope import Refused
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES, Limits, effective
from flowcage.protocol.messages import (
    Advance,
    Check,
    Drain,
    Imports,
    Initialize,
    Isolation,
    Layer,
    Message,
    Poll,
    Replay,
    RequestId,
    Resolve,
    Run,
    Shutdown,
    Start,
    Take,
)
from flowcage.protocol.state import READY

# Closes the cage around the process and returns what holds, as `lockdown.enter`.
CloseCage: TypeAlias = Callable[[Limits, Isolation | None], tuple[Limits, dict[str, Layer]]]

# Messages that compile or run JavaScript: replies that are ready must not wait for them.
_TAKES_TIME = (Start, Run, Check, Imports, Poll, Take, Drain, Advance, Replay)


def _is_closed_already(_limits: Limits, _isolation: Isolation | None) -> NoReturn:
    raise AssertionError("a connection behind `initialize` takes no other")


class Reply(NamedTuple):
    """Bytes to write, and whether the child exits afterwards."""

    data: bytes
    last: bool = False


class Session:
    """One session. Feed it bytes from stdin, and write the replies that it yields.

    Args:
        close_cage: applies the isolation that `initialize` asks for.
        high_water: reads this process's memory; opened before the cage closes.
        realm: a realm that a zygote built, for the first workflow. None: the session builds it.
        max_message_bytes: longest line until `initialize` is answered, in bytes.

    Attributes:
        serve_above_engine: writes these replies, serves the rest of the session and ends the process, without
            returning. The engine's allocator calls it when the heap of a run is full. None: the engine
            itself refuses the allocation.
        takes_short_cuts: whether lines of the usual form take the short cut (`child/short_cut.py`);
            ``--no-short-cut`` turns it off for all sessions of a process.
    """

    takes_short_cuts = True
    serve_above_engine: Callable[[Iterator[Reply]], NoReturn] | None = None

    def __init__(
        self,
        close_cage: CloseCage,
        high_water: HighWater,
        realm: Realm | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    ) -> None:
        self._close_cage = close_cage
        self._connection = ChildConnection(max_message_bytes)
        self._run = ChildRun(high_water, realm, self._heap_is_full)
        self._current: Received | UsualLine | None = None
        # Encoded replies that were not yielded yet; and whether they are more than answers to resolves.
        self._ready, self._has_results = b"", False

    @classmethod
    def initialized(cls, limits: Limits, high_water: HighWater, realm: Realm, version: str) -> Self:
        """A session behind `initialize`, in a process whose cage is closed already.

        Args:
            limits: the effective ones, as the answer to `initialize` has told them.
            high_water: reads this process's memory.
            realm: one that no workflow has run in.
            version: the agreed version of the protocol.
        """
        session = cls(_is_closed_already, high_water, realm, limits.max_message_bytes)
        session._run.expect(limits)
        session._connection.state, session._connection.version = READY, version
        with suppress(ErrorReply):  # the answer to the first message
            session._run.prepare()
        return session

    def receive(self, data: bytes) -> Iterable[Reply]:
        """Carry out every complete line of what was received.

        Args:
            data: the next bytes of stdin; empty at its end.

        Returns:
            Replies, as few and as large as possible: what is ready goes out before a message that may take
            long, and all else at the end. To take the next one may carry out a message.
        """
        if self.takes_short_cuts and (reply := self._short_reply(data)) is not None:
            return (reply,)
        self._connection.receive_data(data)
        return self._replies()

    def _short_reply(self, data: bytes) -> Reply | None:
        """The reply to a line that has taken the short cut; None, and nothing is done, where it cannot."""
        connection = self._connection
        line = usual_line(data, connection.max_message_bytes)
        if line is None or not connection.may_pass_by(line.method):
            return None
        self._current = line
        try:
            result = self._run.take(line)
        except ErrorReply as error:
            connection.passed_by(line.method, failed=True)
            return Reply(envelope.error(line.id, error))
        except MemoryError:
            self.free_heap()  # and the usual way gives the failure as the answer
            return None
        if result is None:
            return None
        connection.passed_by(line.method, failed=False)
        return Reply(self._encode(line.id, result))

    def _replies(self) -> Iterator[Reply]:
        while (event := self._connection.next_event()) is not None:
            message = event.message if isinstance(event, Received) else None
            if self._has_results and isinstance(message, _TAKES_TIME):
                yield self._take_ready()
            self._has_results = self._has_results or not isinstance(message, Resolve)
            reply = self._reply(event)
            self._ready += reply.data
            if reply.last:
                yield self._take_ready(last=True)
                return
        if self._ready:
            yield self._take_ready()

    def _take_ready(self, *, last: bool = False) -> Reply:
        ready, self._ready, self._has_results = self._ready, b"", False
        return Reply(ready, last)

    def _heap_is_full(self, realm: Realm) -> None:
        """Called by the engine's allocator. No frame below, down to `serve`, is resumed."""
        if self.serve_above_engine is not None:
            self.serve_above_engine(self._replies_above_engine(realm))

    def _replies_above_engine(self, realm: Realm) -> Iterator[Reply]:
        """The answer to the message that filled the heap, and to those behind it.

        A generator, so that it runs inside `serve_above_engine`, which turns any error into an exit status.
        """
        self._run.abandon(realm)
        if isinstance(self._current, UsualLine):
            self._connection.receive_data(self._current.data)
        elif self._current is not None:
            self._ready += self._answer(self._current).data
        yield from self._replies()

    def _reply(self, event: ChildEvent) -> Reply:
        if isinstance(event, ConnectionClosed):
            return Reply(b"", last=True)
        if isinstance(event, Refused):
            return Reply(envelope.error(event.id, event.error))
        return self._answer(event)

    def _answer(self, received: Received) -> Reply:
        message = received.message
        self._current = received
        try:
            result = self._guarded(message)
        except ErrorReply as error:
            if error.kind in errors.RUN_FAILURES:
                self._connection.carried_out(message, failed=True)
            data = envelope.error(received.id, error) if received.id is not None else b""
            return Reply(data)
        self._connection.carried_out(message)
        data = self._encode(received.id, result) if received.id is not None else b""
        return Reply(data, last=isinstance(message, Shutdown))

    def _guarded(self, message: Message) -> str:
        try:
            return self._carry_out(message)
        except MemoryError:
            raise self._run.free_heap() from None

    def free_heap(self) -> ErrorReply:
        """End the run and free its heap, as `ChildRun.free_heap`."""
        return self._run.free_heap()

    def _encode(self, identifier: RequestId, result: str) -> bytes:
        line = envelope.result(identifier, result)
        # Before a run, replies are small. They are sent even where maxMessageBytes is smaller, or a host that
        # asked for that could not learn of it.
        maximum = self._connection.max_message_bytes
        message = refusal_reason(line, maximum) if self._run.execution is not None else None
        if message is None:
            return line
        failure = errors.run_failure(errors.LIMIT, "RangeError", message)
        assert self._run.execution is not None
        self._run.execution.fail(failure)
        return envelope.error(identifier, failure)

    def _carry_out(self, message: Message) -> str:
        match message:
            case Initialize():
                return self._initialize(message)
            case Shutdown():
                return "{}"
            case _:
                return self._run.carry_out(message)

    def _initialize(self, message: Initialize) -> str:
        require_version(message.protocol_version)
        if message.reads:
            load_readers()  # the cage lets nothing be imported
        limits, layers = self._close_cage(effective(message.limits), message.isolation)
        self._run.expect(limits)
        self._connection.max_message_bytes = limits.max_message_bytes
        return introduction(message.protocol_version, limits, layers)
