"""The execution of one workflow: what the messages from `start` to `advance` do to it and answer.

Who calls it: the session, which has checked by the state table that the message may come. An execution owns
the realm of its run and decides how the run stands: running, complete (`_output`), failed (`_failure`) or
stalled.

The way of one message that runs JavaScript: `_step` runs it to quiet inside a watchdog's step; what ends the
run is kept, not raised. Then queued calls and requests are handed out, and only a message that has nothing
to hand out raises the failure. So what came before a failure arrives before it
(`tests/child/test_failures.py::test_calls_and_requests_queued_before_a_failure_come_first`).

Invariants:

- `_failure` is final once a message was answered with it: no JavaScript of the workflow runs any more, and
  `poll`, `take` and `drain` repeat it (`test_poll_drain_and_take_repeat_the_same_failure`,
  `test_no_javascript_runs_after_a_failure`).
- `_read_status` follows each step, before anything is handed out. It learns which ids were given out, so that
  `resolve` can know them, and whether a limit of the prelude ended the run: JavaScript may have caught that
  error and even completed, and the limit still counts.
- A failed allocation can be lost in the engine, so that a promise stays pending. So a run that looks stalled,
  or has swallowed a null, fails as `memory` where the heap was full. Asked before `_unsettled` is up to date,
  this would take a run that waits for one that is stalled.
- A request leaves `_unsettled` last in `resolve`: an answer that fills the heap is carried out a second time,
  above the engine (`abandon`), and must find its request
  (`tests/child/test_heap.py::test_an_answer_that_fills_the_heap_ends_the_run`). For the same reason `advance`
  keeps in `_turns` what is left of it.
- After `fail_and_free` the realm is gone: `_hand_out` and `resolve` look at `_is_freed` before they touch it.
- An abandoned realm is never closed: the engine would free objects that are half changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import assert_never

from flowcage.child.engine.errors import Interrupted, JavaScriptError
from flowcage.child.sandbox.evaluation import Evaluation
from flowcage.child.sandbox.failures import (
    interruption,
    out_of_memory,
    thrown_failure,
    unknown_request,
)
from flowcage.child.sandbox.program import compile_workflow
from flowcage.child.sandbox.realm import Realm
from flowcage.child.sandbox.results import take_error
from flowcage.protocol import encode, errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import (
    MISSING,
    Budget,
    Ok,
    OkUndefined,
    Rejected,
    Resolution,
    Resolve,
    Run,
    Start,
    Started,
)


class Execution:
    """One run. A method that carries out a message returns JSON text for its result, or raises `ErrorReply`.

    Args:
        realm: a realm that no workflow has run in; the execution owns it.
        limits: the effective limits, which the workflow is shown, too.
    """

    def __init__(self, realm: Realm, limits: Limits) -> None:
        self._realm = realm
        self._limits = limits
        self._evaluation: Evaluation | None = None
        self._output: str | None = None
        self._failure: ErrorReply | None = None
        self._issued = 0  # the highest request id that is known here
        self._unsettled: set[str] = set()  # ids that no resolve has settled
        self._turns: list[list[Resolve]] = []  # of an `advance` that is being carried out: what is left of it
        self._started = Started()
        self._is_freed = False
        self._message_prefix = ""  # before a failure's message, while something else than the workflow runs

    def start(self, message: Start | Run) -> str:
        """Install the globals and compile the source. No code of the workflow runs yet."""
        args = {} if message.args is MISSING else message.args
        try:
            with self._realm.watchdog.step():
                self._message_prefix = "workflow args: "
                self._install(args, message.budget)
                self._message_prefix = ""
                program = compile_workflow(self._realm, message.source, message.source_name, message.dialect)
                if message.describe:
                    self._started = program.described()
            self._evaluation = Evaluation(self._realm, program)
        except ErrorReply as failure:
            self._failure = failure
            raise
        except Interrupted as stopped:
            self._failure = interruption(stopped)
            raise self._failure from None
        return strictjson.dumps(encode.started(self._started))

    def first_drain(self) -> str:
        """As `drain`, for a `run`: with what `start` has described."""
        described = "".join(f',"{name}":"{told}"' for name, told in encode.started(self._started).items())
        return f"{self.drain()[:-1]}{described}}}"

    def poll(self) -> str:
        """Run to quiet and report one event: the oldest call, else the oldest request, else the state."""
        self._step()
        if text := self._hand_out("nextCall"):
            return f'{{"type":"call","call":{text}}}'
        if text := self._hand_out("nextRequest"):
            return f'{{"type":"request","request":{text}}}'
        if self._failure is not None:
            raise self._failure
        if self._output is not None:
            return f'{{"type":"complete","output":{{"result":{self._output}}}}}'
        return f'{{"type":"pending","stalled":{json.dumps(self._is_stalled())}}}'

    def take(self) -> str:
        """Run to quiet and hand out every queued request, each once; calls stay queued."""
        self._step()
        requests = self._hand_out("takeRequests")
        if self._failure is not None and not requests:
            raise self._failure
        return f'{{"requests":[{requests}]}}'

    def drain(self) -> str:
        """Run to quiet and hand out all calls and requests, with how the run stands."""
        self._step()
        return self._drained()

    def _drained(self) -> str:
        calls, requests = self._hand_out("takeCalls"), self._hand_out("takeRequests")
        if self._failure is not None and not (calls or requests):
            raise self._failure
        return f'{{"calls":[{calls}],"requests":[{requests}],{self._drain_state()}}}'

    def advance(self, turns: Sequence[Sequence[Resolve]]) -> str:
        """Settle the requests of each turn and run to quiet after it, until the run ends; then as `drain`."""
        self._turns = self._turns or list(map(list, turns))
        try:
            self._refuse_unknown(len(turns) - len(self._turns))
            while self._settle_turn() and self._turns:
                self._refuse_unknown(len(turns) - len(self._turns))
        finally:
            self._turns = []
        return self._drained()

    def _refuse_unknown(self, turn: int) -> None:
        known = set(self._unsettled)
        for resolve in self._turns[0]:
            if resolve.id not in known:
                raise unknown_request(resolve.id, turn)
            known.remove(resolve.id)

    def _settle_turn(self) -> bool:
        """Carry out the next turn. Returns whether the run goes on."""
        while self._turns[0]:
            self.resolve(self._turns[0][0])
            del self._turns[0][0]
        self._step()
        del self._turns[0]
        return self._failure is None and self._output is None

    def resolve(self, message: Resolve) -> str:
        """Settle an outstanding request. No code of the workflow runs: it resumes at the next step."""
        identifier, resolution = message
        if identifier not in self._unsettled:
            raise unknown_request(identifier)
        if self._failure is None:
            try:
                with self._realm.watchdog.step():
                    self._settle(identifier, resolution)
            except Interrupted as stopped:
                self._failure = interruption(stopped)
        if self._failure is not None and not self._is_freed:
            self._realm.forget(identifier)
        # Last: an answer that fills the heap is carried out again, above the engine, and settled then.
        self._unsettled.discard(identifier)
        return "{}"

    def abandon(self, failure: ErrorReply) -> ErrorReply:
        """End the run while the engine's frames below are left for good (`Realm.abandon`).

        Returns:
            The failure, which says what was being done if that was not the workflow's own code.
        """
        self._output = None
        told = ErrorReply(failure.kind, self._message_prefix + failure.message, failure.data)
        self.fail(told)
        self._read_status()
        return told

    def fail_and_free(self, failure: ErrorReply) -> None:
        """End the run and free its heap, to have memory to answer with. A second call changes nothing."""
        self.fail(failure)
        if not self._is_freed:
            self._is_freed = True
            if not self._realm.is_abandoned:
                self._realm.close()

    def fail(self, failure: ErrorReply) -> None:
        """End the run with this failure, unless it has failed already."""
        self._failure = self._failure or failure

    def _install(self, args: object, budget: Budget) -> None:
        realm = self._realm
        given = args, encode.budget(budget), self._limits.to_wire()
        with realm.context.scope():
            texts = map(strictjson.dumps_ascii, given)
            try:
                realm.call("install", *map(realm.string, texts))
            except JavaScriptError:
                raise thrown_failure(take_error(self._realm), self._message_prefix) from None

    def _settle(self, identifier: str, resolution: Resolution) -> None:
        realm = self._realm
        match resolution:
            case Ok():
                kind, text = "ok", strictjson.dumps_ascii(resolution.value)
            case OkUndefined():
                kind, text = "ok_undefined", "null"
            case Rejected():
                kind, text = "error", strictjson.dumps_ascii(resolution.message)
            case _:
                assert_never(resolution)
        with realm.context.scope():
            try:
                if isinstance(resolution, Ok) and resolution.budget is not None:
                    budget = strictjson.dumps_ascii(encode.budget(resolution.budget))
                    realm.call("setBudget", realm.string(budget))
                realm.call("settle", *map(realm.string, (identifier, kind, text)))
            except JavaScriptError:
                self._failure = thrown_failure(take_error(self._realm), "workflow request answer: ")

    def _step(self) -> None:
        """Run to quiet, unless the run is over. What ends it is kept in `_failure` or `_output`."""
        if self._failure is not None or self._output is not None:
            return
        try:
            with self._realm.watchdog.step():
                assert self._evaluation is not None
                self._evaluation.advance()
        except ErrorReply as failure:
            self._failure = failure
        except Interrupted as stopped:
            self._failure = interruption(stopped)
        except JavaScriptError:  # the prelude found no memory
            self._failure = thrown_failure(self._realm.take_error(), "")
        if self._evaluation is not None:
            self._output = self._evaluation.output
        self._read_status()
        if self._output is not None or self._is_stalled():
            self._realm.diagnose_end(has_left=self._output is not None and bool(self._unsettled))

    def _read_status(self) -> None:
        issued, limit, swallowed_null = json.loads(self._hand_out("status") or "[0,null,false]")
        self._unsettled.update(str(number) for number in range(self._issued + 1, issued + 1))
        self._issued = max(issued, self._issued)
        if limit is not None:
            # Whether or not the workflow caught the error: the limit came before what it did then.
            self._output = None
            self._failure = errors.run_failure(**limit)
        elif (swallowed_null or self._is_stalled()) and self._realm.heap_was_full():
            self._output = None
            self._failure = out_of_memory()

    def _is_stalled(self) -> bool:
        over = self._failure is not None or self._output is not None
        return not over and not self._unsettled

    def _hand_out(self, name: str) -> str:
        """Call a function of the prelude that gathers what is queued; the run fails for want of memory."""
        if self._is_freed:
            return ""
        try:
            return self._realm.hand_out(name)
        except JavaScriptError:
            self._failure = thrown_failure(self._realm.take_error(), "")
            return ""

    def _drain_state(self) -> str:
        if self._output is not None:
            return f'"state":"complete","output":{{"result":{self._output}}}{self._notes()}'
        if self._is_stalled():
            return f'"state":"pending","stalled":true{self._notes()}'
        more = ',"more":true' if self._failure is not None else ""
        return f'"state":"pending"{more}'

    def _notes(self) -> str:
        diagnostics = self._hand_out("diagnostics")
        return f',"diagnostics":[{diagnostics}]' if diagnostics else ""
