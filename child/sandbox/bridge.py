"""The bridge: the functions of the prelude that Python calls, by their names (`prelude/8-bridge.js`).

Text crosses between Python and JavaScript, JSON in and JSON out: ctypes cannot return a JSValue from a
callback, so JavaScript never calls Python. The prelude queues what the workflow asks for, and `hand_out`
takes it.

Code of the prelude that gathers what is queued, or notes something, runs with the heap's limit lifted
(`heap.unlimited`), so that a full heap does not lose it; no code of the workflow runs there.
"""

from __future__ import annotations

from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.context import Context
from flowcage.child.engine.runtime import Runtime
from flowcage.child.sandbox import prelude_source
from flowcage.child.sandbox.prelude_source import PRELUDE_NAME
from flowcage.protocol import strictjson


class Bridge:
    """The prelude in one context. Its functions are looked up at once, so that a fork finds them so.

    Args:
        runtime: the heap that the context gets.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.context = Context(runtime)
        self._functions = self._look_up(self._evaluate_prelude())

    def call(self, name: str, *arguments: JSValue) -> JSValue:
        """Call a function of the bridge.

        Raises:
            JavaScriptError: it threw.
        """
        return self.context.call(self._functions[name], *arguments)

    def call_on_json(self, name: str, text: bytes, *arguments: JSValue) -> JSValue | None:
        """As `call`, with the value of a JSON text before the arguments; None where the text is none."""
        return self.context.call_on_json(self._functions[name], text, *arguments)

    def call_bytes(self, name: str, *arguments: JSValue) -> bytes:
        """Call a function of the bridge that returns a string. Raises as `call`, or for want of memory."""
        return self.context.call_bytes(self._functions[name], *arguments)

    def call_text(self, name: str, *arguments: JSValue) -> str:
        """As `call_bytes`, as text, with U+FFFD for what is no UTF-8."""
        return self.call_bytes(name, *arguments).decode("utf-8", "replace")

    def is_true(self, name: str, *arguments: JSValue) -> bool:
        """Call a function of the bridge that returns a boolean. Raises as `call`."""
        return self.call(name, *arguments).is_true()

    def hand_out(self, name: str, *arguments: JSValue) -> str:
        """As `call_text`, without the heap's limit: for a function that runs no code of the workflow."""
        heap = self.runtime.heap
        heap.lift_limit()
        try:
            text = self.context.call_bytes(self._functions[name], *arguments)
        finally:
            heap.restore_limit()
        return text.decode("utf-8", "replace")

    def is_outstanding(self, identifier: str) -> bool:
        """Whether a request was given this id and has no answer. Raises as `call`."""
        with self.runtime.heap.unlimited(), self.context.scope():
            return self.is_true("isOutstanding", self.string(identifier))

    def string(self, text: str) -> JSValue:
        """A JavaScript string, as `Context.string`."""
        return self.context.string(text)

    def exported_names(self, module: JSValue) -> list[str]:
        """The names that an evaluated module exports; the engine crashes for one that is not linked."""
        with self.context.scope():
            namespace = self.context.namespace(module)
            names: list[str] = strictjson.loads(self.call_text("names", namespace).encode())
            return names

    def _look_up(self, bridge: JSValue) -> dict[str, JSValue]:
        """The functions of the bridge, by name: a fork finds them looked up."""
        with self.context.scope():
            text = self.context.call_bytes(self.context.get(bridge, "names"), bridge)
            return {
                name: self.context.keep(self.context.get(bridge, name)) for name in strictjson.loads(text)
            }

    def _evaluate_prelude(self) -> JSValue:
        with self.context.scope():
            return self.context.keep(self.context.evaluate(self._compiled_prelude()))

    def _compiled_prelude(self) -> JSValue:
        """The prelude as a compiled script: the first realm of a process compiles, later ones read it."""
        global _bytecode
        if _bytecode is not None:
            return self.context.read_bytecode(_bytecode)
        compiled = self.context.compile(prelude_source.PRELUDE, PRELUDE_NAME, module=False)
        _bytecode = self.context.bytecode(compiled)
        return compiled


_bytecode: bytes | None = None
