"""The run of a session: the realm that it gets, and what messages about it are answered with.

Who calls it: the session, which has checked by the state table that the message may come. A session serves
one run; before it, `check` may compile any number of sources, each in a realm of its own.

A realm is ready before the run where the limits are known early: a zygote's, which `expect` tells the limits
before the fork, and `prepare` adopts in the process that runs the workflow.

Where a realm does not fit its limits, or a check has filled its heap, no workflow can be run any more:
`_start_failure` is the answer to `start` and to all that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flowcage._hints import TypeAlias, assert_never
from flowcage.child.cage.highwater import HighWater
from flowcage.child.engine.errors import Interrupted, JavaScriptError, OutOfMemory
from flowcage.child.sandbox.crossing import UsualLine
from flowcage.child.sandbox.failures import interruption, without_run
from flowcage.child.sandbox.program import check, imports
from flowcage.child.sandbox.realm import Realm
from flowcage.child.sandbox.replay.execution import Replaying
from flowcage.protocol import encode, errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits, lowered
from flowcage.protocol.messages import (
    Advance,
    Check,
    Drain,
    Imports,
    Poll,
    Replay,
    Resolve,
    Run,
    Sites,
    Start,
    Take,
)

OfARun: TypeAlias = Start | Run | Check | Imports | Poll | Take | Drain | Resolve | Advance | Replay | Sites


class ChildRun:
    """The only run of this process.

    Args:
        high_water: reads this process's memory; opened before the cage closes.
        realm: a realm that a zygote built, for the first workflow. None: one is built.
        on_full: called deep inside the engine when the heap of a realm is full. Where it returns, the engine
            itself refuses the allocation.

    Attributes:
        limits: the effective limits.
        execution: the workflow; None until it was started.
    """

    def __init__(self, high_water: HighWater, realm: Realm | None, on_full: Callable[[Realm], None]) -> None:
        self.limits = Limits()
        self.execution: Replaying | None = None
        self._high_water = high_water
        self._on_full = on_full
        self._ready_realm = realm
        self._prepared_for: Limits | None = None
        self._start_failure: ErrorReply | None = None

    def carry_out(self, message: OfARun) -> str:
        """Carry out a message.

        Returns:
            JSON text for its result.

        Raises:
            ErrorReply: the run has failed, or the message is wrong.
            MemoryError: the address space is full; `free_heap` makes room.
        """
        match message:
            case Start():
                self.limits = lowered(self.limits, message.limits)
                return self._new_execution().start(message)
            case Run():
                return self._run(message)
            case Check() | Imports():
                return self._look_at(message)
            case Poll() | Take() | Drain() | Resolve() | Advance() | Replay() | Sites():
                return self._use_execution(message)
            case _:
                assert_never(message)

    def take(self, line: UsualLine) -> str | None:
        """Carry out a line that the engine reads; None where it is not in order, and nothing was changed.

        Raises:
            ErrorReply, MemoryError: as `carry_out`.
        """
        if line.method == "run":
            return self._take_run(line)
        execution = self.execution
        if execution is None or not execution.can_parse(len(line.data)):
            return None
        return execution.replay_line(line) if line.method == "replay" else execution.advance_line(line)

    def expect(self, limits: Limits) -> None:
        """Take note of the effective limits. A realm that is there learns them now: a fork finds them."""
        self.limits = limits
        if self._ready_realm is not None:
            try:
                self._ready_realm.show_limits(limits)
            except JavaScriptError:
                self._ready_realm.clear_error()

    def prepare(self) -> None:
        """Have a realm with the limits of this process, for the next workflow. Raises `ErrorReply`."""
        if self._ready_realm is None or self._prepared_for != self.limits:
            self._ready_realm = self._new_realm()
            self._prepared_for = self.limits

    def abandon(self, realm: Realm) -> None:
        """End the run, and leave the engine's frames below for good: the heap of `realm` is full."""
        self._start_failure = realm.abandon()
        if self.execution is not None:
            self._start_failure = self.execution.abandon(self._start_failure)

    def free_heap(self) -> ErrorReply:
        """End the run and free its heap, so that there is memory to read and answer messages with.

        Returns:
            The failure that the run ends with.
        """
        text = "out of memory: the address space is full (addressSpaceBytes)"
        failure = errors.run_failure(errors.MEMORY, "InternalError", text)
        if self.execution is not None:
            self.execution.fail_and_free(failure)
        return failure

    def _use_execution(self, message: Poll | Take | Drain | Resolve | Advance | Replay | Sites) -> str:
        if (execution := self.execution) is None:
            assert self._start_failure is not None
            raise without_run(message, self._start_failure)
        match message:
            case Poll():
                return execution.poll()
            case Take():
                return execution.take()
            case Drain():
                return execution.drain()
            case Resolve():
                return execution.resolve(message)
            case Advance():
                return execution.advance(message.turns)
            case Replay():
                return execution.replay(message.turns)
            case Sites():
                return execution.sites()
            case _:
                assert_never(message)

    def _run(self, message: Run) -> str:
        if self.execution is None:  # else this filled the heap, and is carried out again above the engine
            self.limits = lowered(self.limits, message.limits)
            self._new_execution().start(message)
        assert self.execution is not None
        return self.execution.first_drain()

    def _take_run(self, line: UsualLine) -> str | None:
        try:
            self.prepare()
        except ErrorReply:  # the usual way gives it as the answer
            return None
        realm = self._ready_realm
        assert realm is not None
        execution = Replaying(realm)
        if not execution.can_parse(len(line.data)):
            return None
        self.execution, self._ready_realm = execution, None
        if (result := execution.run_line(line)) is None:
            self.execution, self._ready_realm = None, realm
        return result

    def _new_execution(self) -> Replaying:
        try:
            realm = self._new_realm()
        except ErrorReply as failure:
            self._start_failure = failure
            raise
        self.execution = Replaying(realm)
        return self.execution

    def _new_realm(self) -> Realm:
        if self._start_failure is not None:  # a check has filled its heap, which cannot be freed any more
            raise self._start_failure
        realm, self._ready_realm = self._ready_realm, None
        if realm is not None and self._prepared_for == self.limits:
            return realm
        try:
            if realm is None:
                realm = Realm(self.limits, self._high_water)
            else:
                realm.adopt(self.limits, self._high_water)
            realm.runtime.heap.on_full = partial(self._on_full, realm)
            return realm
        except (OutOfMemory, JavaScriptError, MemoryError):
            message = "memoryBytes, stackBytes or addressSpaceBytes is too small for any workflow"
            raise errors.run_failure(errors.MEMORY, "InternalError", message) from None

    def _look_at(self, message: Check | Imports) -> str:
        realm = self._new_realm()
        try:
            with realm.watchdog.step(), realm.context.scope():
                if isinstance(message, Imports):
                    return strictjson.dumps(encode.imports(imports(realm, message)))
                return strictjson.dumps(encode.checked(check(realm, message)))
        except Interrupted as stopped:
            raise interruption(stopped) from None
        finally:
            realm.close()
