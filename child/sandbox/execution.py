"""One run of one workflow: start, poll, take, drain, resolve, and nothing after it failed."""

from __future__ import annotations

import json
from typing import assert_never

from flowcage.child.engine.capi import PROMISE_PENDING, PROMISE_REJECTED, JSValue
from flowcage.child.engine.errors import Interrupted, JavaScriptError
from flowcage.child.sandbox.failures import (
    interruption,
    missing_default,
    out_of_memory,
    thrown_failure,
    unknown_request,
)
from flowcage.child.sandbox.program import Program, compile_workflow
from flowcage.child.sandbox.realm import Realm
from flowcage.child.sandbox.results import result_text, take_error
from flowcage.protocol import encode, errors, strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Budget, Ok, OkUndefined, Rejected, Resolution, Start, Started


class Execution:
    """Every method answers with the JSON text of a result, or raises `ErrorReply`.

    Args:
        realm: a fresh realm, used for this run alone.
        limits: the effective limits.
    """

    def __init__(self, realm: Realm, limits: Limits) -> None:
        self._realm = realm
        self._limits = limits
        self._program: Program | None = None
        self._module_promise: JSValue | None = None
        self._workflow_promise: JSValue | None = None
        self._output: str | None = None
        self._failure: ErrorReply | None = None
        self._issued = 0
        self._unsettled: set[str] = set()
        self._is_freed = False
        self._message_prefix = ""  # what the engine is busy with, if not with the workflow

    def start(self, message: Start) -> str:
        """Compile the source and install its globals. No code of the workflow runs yet."""
        started = Started()
        args = {} if message.args is MISSING else message.args
        try:
            with self._realm.watchdog.step():
                self._message_prefix = "workflow args: "
                self._install(args, message.budget)
                self._message_prefix = ""
                self._program = compile_workflow(
                    self._realm, message.source, message.source_name, message.dialect
                )
                if message.describe:
                    started = self._program.described()
        except ErrorReply as failure:
            self._failure = failure
            raise
        except Interrupted as stopped:
            self._failure = interruption(stopped)
            raise self._failure from None
        return strictjson.dumps(encode.started(started))

    def poll(self) -> str:
        """Run to quiet and report one event: a call, a request, completion or pending."""
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
        """Run to quiet and hand out every queued request, each once."""
        self._step()
        requests = self._hand_out("takeRequests")
        if self._failure is not None and not requests:
            raise self._failure
        return f'{{"requests":[{requests}]}}'

    def drain(self) -> str:
        """Run to quiet and hand out everything."""
        self._step()
        calls, requests = self._hand_out("takeCalls"), self._hand_out("takeRequests")
        if self._failure is not None and not (calls or requests):
            raise self._failure
        return f'{{"calls":[{calls}],"requests":[{requests}],{self._drain_state()}}}'

    def resolve(self, identifier: str, resolution: Resolution) -> str:
        """Settle an outstanding request; the workflow resumes at the next step."""
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
        # Last: an answer that fills the heap comes here again, above the engine, and is settled then.
        self._unsettled.discard(identifier)
        return "{}"

    def abandon(self, failure: ErrorReply) -> ErrorReply:
        """End the run above the engine, which never returns to what it was doing (`Realm.abandon`).

        Returns:
            The failure, with what it was about.
        """
        self._output = None
        told = ErrorReply(failure.kind, self._message_prefix + failure.message, failure.data)
        self.fail(told)
        self._read_status()
        return told

    def fail_and_free(self, failure: ErrorReply) -> None:
        """End the run and free its heap, without which the child could not even answer."""
        self.fail(failure)
        if not self._is_freed:
            self._is_freed = True
            if not self._realm.is_abandoned:
                self._realm.close()

    def fail(self, failure: ErrorReply) -> None:
        """End the run from outside, for a reply that cannot be sent."""
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
                self._advance()
        except ErrorReply as failure:
            self._failure = failure
        except Interrupted as stopped:
            self._failure = interruption(stopped)
        except JavaScriptError:  # our own code found no memory
            self._failure = thrown_failure(self._realm.take_error(), "")
        self._read_status()
        if self._output is not None or self._is_stalled():
            self._realm.diagnose_end(has_left=self._output is not None and bool(self._unsettled))

    def _advance(self) -> None:
        self._begin_module()
        self._realm.run_jobs()
        if self._workflow_promise is None and self._output is None:
            self._begin_default()
            self._realm.run_jobs()
        if self._workflow_promise is not None and self._output is None:
            self._watch_workflow(self._workflow_promise)

    def _begin_module(self) -> None:
        if self._module_promise is not None:
            return
        assert self._program is not None
        context = self._realm.context
        with context.scope():
            try:
                promise = context.evaluate(self._program.module)
            except JavaScriptError:  # the module could not be linked: a name it imports does not exist
                raise self._program.text.link_error(take_error(self._realm)) from None
            context.mark_handled(promise)
            self._module_promise = context.keep(promise)

    def _begin_default(self) -> None:
        """Once the module has evaluated, start what it exports as default."""
        context = self._realm.context
        assert self._program is not None
        assert self._module_promise is not None
        state = context.promise_state(self._module_promise)
        if state == PROMISE_PENDING:
            return
        if state == PROMISE_REJECTED:
            self._raise_rejection(self._module_promise, "workflow module evaluation rejected: ")
        with context.scope():
            namespace = context.namespace(self._program.module)
            names = self._realm.exported_names(self._program.module)
            if not self._program.has_return or names == ["meta"]:
                self._realm.diagnose("no_result", self._program.no_result())
            if "default" in names:
                self._follow(self._call("begin", namespace, prefix="workflow module rejected: "))
            elif self._program.is_script(names):
                self._output = "null"
            else:
                raise missing_default(names)

    def _follow(self, value: JSValue) -> None:
        """Wait for a promise or thenable; take anything else as the result."""
        context = self._realm.context
        if not context.is_promise(value):
            adopted = self._call("adopt", value, prefix="workflow module rejected: ")
            if not context.is_promise(adopted):
                self._output = result_text(self._realm, value)
                return
            value = adopted
        context.mark_handled(value)
        self._workflow_promise = context.keep(value)

    def _watch_workflow(self, promise: JSValue) -> None:
        context = self._realm.context
        state = context.promise_state(promise)
        if state == PROMISE_REJECTED:
            self._raise_rejection(promise, "workflow module rejected: ")
        if state != PROMISE_PENDING:
            with context.scope():
                self._output = result_text(self._realm, context.promise_result(promise))

    def _call(self, name: str, value: JSValue, *, prefix: str) -> JSValue:
        try:
            return self._realm.call(name, value)
        except JavaScriptError:
            raise thrown_failure(take_error(self._realm), prefix) from None

    def _raise_rejection(self, promise: JSValue, prefix: str) -> None:
        with self._realm.context.scope():
            reason = self._realm.context.promise_result(promise)
            raise thrown_failure(self._realm.describe(reason), prefix)

    def _read_status(self) -> None:
        issued, limit, swallowed_null = json.loads(self._hand_out("status") or "[0,null,false]")
        self._unsettled.update(str(number) for number in range(self._issued + 1, issued + 1))
        self._issued = max(issued, self._issued)
        if limit is not None:
            # Caught or not, the limit came first; what the workflow made of it does not count.
            self._output = None
            self._failure = errors.run_failure(**limit)
        elif (swallowed_null or self._is_stalled()) and self._realm.heap_was_full():
            self._output = None
            self._failure = out_of_memory()

    def _is_stalled(self) -> bool:
        over = self._failure is not None or self._output is not None
        return not over and not self._unsettled

    def _hand_out(self, name: str) -> str:
        """Ask the prelude for what is queued; a heap too full even for that ends the run."""
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
