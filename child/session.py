"""Message in, reply out: the child's whole behaviour, without a file descriptor in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, NoReturn, TypeAlias, assert_never

from flowcage.child.cage.highwater import HighWater
from flowcage.child.engine.context import library
from flowcage.child.engine.errors import Interrupted, JavaScriptError, OutOfMemory
from flowcage.child.sandbox.execution import Execution
from flowcage.child.sandbox.failures import interruption, unknown_request
from flowcage.child.sandbox.program import check
from flowcage.child.sandbox.realm import Realm
from flowcage.protocol import encode, envelope, errors, strictjson
from flowcage.protocol.connection import ChildConnection, ChildEvent, ConnectionClosed, Received
from flowcage.protocol.envelope import Refused
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.limits import Limits, effective
from flowcage.protocol.messages import (
    Check,
    Drain,
    Initialize,
    Initialized,
    Isolation,
    Layer,
    Message,
    Peer,
    Poll,
    RequestId,
    Resolve,
    Shutdown,
    Start,
    Take,
)
from flowcage.protocol.version import PACKAGE_VERSION, SUPPORTED_VERSIONS

# Closes the cage around the process, as `lockdown.enter` does.
CloseCage: TypeAlias = Callable[[Limits, Isolation | None], tuple[Limits, dict[str, Layer]]]

# Compiles or runs JavaScript.
_TAKES_TIME = (Start, Check, Poll, Take, Drain)


class Reply(NamedTuple):
    """Bytes to write, and whether the child leaves afterwards."""

    data: bytes
    last: bool = False


class Session:
    """Feed it bytes from stdin; write what it answers.

    Args:
        close_cage: carries out the isolation that `initialize` asks for.
        high_water: opened before the cage closes.
        realm: one that was built before this process was forked, for the first workflow.
        max_message_bytes: longest line until `initialize` is answered.

    Attributes:
        serve_above_engine: serves the rest of the session from where it is called, these replies first, and
            ends the process. It is called by the engine's allocator, when the heap of a run is full. None
            leaves the engine to fail by itself.
    """

    serve_above_engine: Callable[[Iterator[Reply]], NoReturn] | None = None

    def __init__(
        self,
        close_cage: CloseCage,
        high_water: HighWater,
        realm: Realm | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    ) -> None:
        self._close_cage = close_cage
        self._high_water = high_water
        self._ready_realm = realm
        self._connection = ChildConnection(max_message_bytes)
        self._limits = Limits()
        self._execution: Execution | None = None
        # Why there is none although a start was carried out: the answer to all that follows.
        self._start_failure: ErrorReply | None = None
        self._current: Received | None = None
        self._ready, self._has_results = b"", False

    def receive(self, data: bytes) -> Iterator[Reply]:
        """Carry out every complete line in `data`; empty means the end of stdin.

        What is ready is handed out before anything that may take its time, and otherwise in one piece. That a
        resolve was carried out is no news to wait for: it goes out with what came of it.
        """
        self._connection.receive_data(data)
        yield from self._replies()

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
        """Called by the engine's allocator: whatever called it, down to `serve`, never goes on."""
        assert self.serve_above_engine is not None
        self.serve_above_engine(self._replies_above_engine(realm))

    def _replies_above_engine(self, realm: Realm) -> Iterator[Reply]:
        """The answer to the message that filled the heap, and to those behind it.

        The run is ended in here, not before: an error outside `serve_above_engine` returns to the engine.
        """
        assert self._current is not None
        self._start_failure = realm.abandon()
        if self._execution is not None:
            self._start_failure = self._execution.abandon(self._start_failure)
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
            raise self.free_heap() from None

    def free_heap(self) -> ErrorReply:
        """Give up the run and its heap: without memory the child could not even read a message."""
        text = "the child ran into addressSpaceBytes"
        failure = errors.run_failure(errors.MEMORY, "InternalError", text)
        if self._execution is not None:
            self._execution.fail_and_free(failure)
        return failure

    def _encode(self, identifier: RequestId, result: str) -> bytes:
        line = envelope.result(identifier, result)
        # Whoever asks for tiny messages still learns that he got them.
        message = self._unsendable_reason(line) if self._execution is not None else None
        if message is None:
            return line
        failure = errors.run_failure(errors.LIMIT, "RangeError", message)
        assert self._execution is not None
        self._execution.fail(failure)
        return envelope.error(identifier, failure)

    def _unsendable_reason(self, line: bytes) -> str | None:
        """Why the host would refuse this reply; None if it would not."""
        maximum = self._connection.max_message_bytes
        if len(line) > maximum + 1:
            return f"a reply of {len(line)} bytes does not fit maxMessageBytes ({maximum})"
        if line.find(b"\n") != len(line) - 1:
            return "a reply cannot be sent: it is not one line"
        try:
            strictjson.check_structure(line)
        except strictjson.StructureError as error:
            return f"a reply cannot be sent: {error}"
        return None

    def _carry_out(self, message: Message) -> str:
        match message:
            case Initialize():
                return self._initialize(message)
            case Start():
                return self._start(message)
            case Check():
                return self._check(message)
            case Shutdown():
                return "{}"
            case Poll() | Take() | Drain() | Resolve():
                return self._use_execution(message)
            case _:
                assert_never(message)

    def _use_execution(self, message: Poll | Take | Drain | Resolve) -> str:
        if (execution := self._execution) is None:
            assert self._start_failure is not None
            raise unknown_request(message.id) if isinstance(message, Resolve) else self._start_failure
        match message:
            case Poll():
                return execution.poll()
            case Take():
                return execution.take()
            case Drain():
                return execution.drain()
            case Resolve():
                return execution.resolve(message.id, message.resolution)
            case _:
                assert_never(message)

    def _initialize(self, message: Initialize) -> str:
        if message.protocol_version not in SUPPORTED_VERSIONS:
            raise ErrorReply(
                errors.PROTOCOL_VERSION,
                f"unsupported protocol version {message.protocol_version[:40]!r}; "
                f"supported: {', '.join(SUPPORTED_VERSIONS)}",
                {"supported": list(SUPPORTED_VERSIONS)},
            )
        limits, layers = self._close_cage(effective(message.limits), message.isolation)
        self._limits = limits
        self._connection.max_message_bytes = limits.max_message_bytes
        engine = Peer("quickjs-ng", library().JS_GetVersion().decode())
        server = Peer("flowcage", PACKAGE_VERSION)
        version = message.protocol_version
        initialized = Initialized(version, server, engine, limits, layers, limits.max_message_bytes)
        return strictjson.dumps(encode.initialized(initialized))

    def _start(self, message: Start) -> str:
        try:
            realm = self._new_realm()
        except ErrorReply as failure:
            self._start_failure = failure
            raise
        self._execution = Execution(realm, self._limits)
        return self._execution.start(message)

    def _new_realm(self) -> Realm:
        if self._start_failure is not None:  # a workflow that was only checked has left a full heap behind
            raise self._start_failure
        realm, self._ready_realm = self._ready_realm, None
        try:
            if realm is None:
                realm = Realm(self._limits, self._high_water)
            else:
                realm.adopt(self._limits, self._high_water)
            if self.serve_above_engine is not None:
                realm.runtime.heap.on_full = partial(self._heap_is_full, realm)
            return realm
        except (OutOfMemory, JavaScriptError, MemoryError):
            message = "memoryBytes, stackBytes or addressSpaceBytes is too small for any workflow"
            raise errors.run_failure(errors.MEMORY, "InternalError", message) from None

    def _check(self, message: Check) -> str:
        realm = self._new_realm()
        try:
            with realm.watchdog.step(), realm.context.scope():
                return strictjson.dumps(encode.checked(check(realm, *message)))
        except Interrupted as stopped:
            raise interruption(stopped) from None
        finally:
            realm.close()
