"""A compiled workflow on its way to a result: its module is evaluated, then its default export is awaited."""

from __future__ import annotations

from flowcage._hints import NoReturn
from flowcage.child.engine.capi import PROMISE_PENDING, PROMISE_REJECTED, JSValue
from flowcage.child.engine.errors import JavaScriptError
from flowcage.child.sandbox.crossing import result_text, take_error
from flowcage.child.sandbox.failures import missing_default, thrown_failure
from flowcage.child.sandbox.program import Program
from flowcage.child.sandbox.realm import Realm


class Evaluation:
    """Runs a program, as far as it can go without an answer of the host.

    Args:
        realm: the realm that the program was compiled in.
        program: runs once.
    """

    def __init__(self, realm: Realm, program: Program) -> None:
        self._output: str | None = None
        self._realm = realm
        self._program = program
        self._module_promise: JSValue | None = None
        self._workflow_promise: JSValue | None = None

    def advance(self) -> str | None:
        """Run JavaScript until its job queue is empty.

        Returns:
            The result as JSON text; None while there is none.

        Raises:
            ErrorReply: the run failed.
            Interrupted: a limit of time was reached.
        """
        if self._module_promise is None:
            self._begin_module()
        self._realm.run_jobs()
        if self._workflow_promise is None and self._output is None and self._begin_default():
            self._realm.run_jobs()
        if self._workflow_promise is not None and self._output is None:
            self._read_workflow(self._workflow_promise)
        return self._output

    def _begin_module(self) -> None:
        context = self._realm.context
        with context.scope():
            try:
                promise = context.evaluate(self._program.module)
            except JavaScriptError:  # it could not be linked: it imports a name that does not exist
                raise self._program.siblings.link_error(take_error(self._realm)) from None
            context.mark_handled(promise)  # `_begin_default` reads its rejection
            self._module_promise = context.keep(promise)

    def _begin_default(self) -> bool:
        """Start what the module exports as default. Returns False where the module has not evaluated yet."""
        context = self._realm.context
        assert self._module_promise is not None
        state = context.promise_state(self._module_promise)
        if state == PROMISE_PENDING:
            return False
        if state == PROMISE_REJECTED:
            self._raise_rejection(self._module_promise, "workflow module evaluation rejected: ")
        with context.scope():
            namespace = context.namespace(self._program.module)
            has_default = self._realm.is_true("hasDefault", namespace)
            names = [] if has_default else self._realm.exported_names(self._program.module)
            if not self._program.has_return or names == ["meta"]:
                self._realm.diagnose("no_result", self._program.no_result())
            if has_default:
                self._follow(self._call("begin", namespace, prefix="workflow module rejected: "))
            elif self._program.is_script(names):
                self._output = "null"
            else:
                raise missing_default(names)
        return True

    def _follow(self, value: JSValue) -> None:
        """Wait for a promise or thenable; take any other value as the result."""
        context = self._realm.context
        if not context.is_promise(value):
            adopted = self._call("adopt", value, prefix="workflow module rejected: ")
            if not context.is_promise(adopted):
                self._output = result_text(self._realm, value)
                return
            value = adopted
        context.mark_handled(value)  # `_read_workflow` reads its rejection
        self._workflow_promise = context.keep(value)

    def _read_workflow(self, promise: JSValue) -> None:
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

    def _raise_rejection(self, promise: JSValue, prefix: str) -> NoReturn:
        with self._realm.context.scope():
            reason = self._realm.context.promise_result(promise)
            raise thrown_failure(self._realm.describe(reason), prefix)
