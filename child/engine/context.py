"""A QuickJS context: one realm with chosen intrinsics, and the handles into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_size_t, string_at
from typing import Any

from flowcage.child.engine import capi
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.errors import JavaScriptError, OutOfMemory
from flowcage.child.engine.runtime import Runtime

_INTRINSICS = (
    "JS_AddIntrinsicBaseObjects",
    "JS_AddIntrinsicEval",  # for our own compiling; the prelude hides it from JavaScript
    "JS_AddIntrinsicJSON",
    "JS_AddIntrinsicPromise",
    "JS_AddIntrinsicProxy",
    "JS_AddIntrinsicMapSet",
    "JS_AddIntrinsicRegExp",
)

UNDEFINED = JSValue(0, capi.TAG_UNDEFINED)

# The engine asks its interrupt handler at every 10,000th branch or call. This function has 9,999 of them: one
# for its call, one for each time round, one for the end of the loop.
EXHAUST_INTERRUPT_COUNTER = b"(() => { let left = 9997; while (left--); })"


class Context:
    """One realm. Values live in scopes: a value made inside ``with context.scope():`` is freed at its end.

    Values made outside any inner scope belong to the context and are freed by `close`.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._library = runtime.library
        self.pointer = self._library.JS_NewContextRaw(runtime.pointer)
        if not self.pointer:
            raise OutOfMemory("JS_NewContextRaw")
        self._scopes: list[list[JSValue]] = [[]]
        for add in _INTRINSICS:
            if getattr(self._library, add)(self.pointer) < 0:
                raise OutOfMemory(add)
        self._own(runtime.new_sentinel(self.pointer))

    def close(self) -> None:
        """Free every value and the realm."""
        while self._scopes:
            self._free(self._scopes.pop())
        self._library.JS_FreeContext(self.pointer)
        self.pointer = None

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Own the values made inside, and free them at the end."""
        self._scopes.append([])
        try:
            yield
        finally:
            self._free(self._scopes.pop())

    def exhaust_interrupt_counter(self, exhauster: JSValue) -> None:
        """Call what `exhauster` compiled, whatever becomes of it."""
        self.release(self._library.JS_Call(self.pointer, exhauster, UNDEFINED, 0, None))
        self.release(self._library.JS_GetException(self.pointer))

    def keep(self, value: JSValue) -> JSValue:
        """A second reference that lives until `close`."""
        kept: JSValue = self._library.JS_DupValue(self.pointer, value)
        self._scopes[0].append(kept)
        return kept

    def retain(self, value: JSValue) -> JSValue:
        """A second reference that lives until `release`."""
        retained: JSValue = self._library.JS_DupValue(self.pointer, value)
        return retained

    def release(self, value: JSValue) -> None:
        """Give up a reference that `retain` made."""
        self._library.JS_FreeValue(self.pointer, value)

    def compile(self, source: bytes, name: str, *, module: bool, first_line: int = 1) -> JSValue:
        """Compile without running: syntax is checked and a module's imports are resolved.

        Args:
            source: UTF-8 text.
            name: shown in stacks.
            first_line: number of the text's first line, so that wrapped text keeps its author's lines.

        Raises:
            JavaScriptError: a SyntaxError, or what the module loader threw, is pending.
        """
        kind = capi.EVAL_MODULE if module else capi.EVAL_GLOBAL
        flags = kind | capi.EVAL_COMPILE_ONLY
        encoded_name = name.encode("utf-8", "replace").replace(b"\0", b"?")
        options = capi.EvalOptions(1, flags, encoded_name, first_line)
        return self._own(self._library.JS_Eval2(self.pointer, source, len(source), byref(options)))

    def evaluate(self, compiled: JSValue) -> JSValue:
        """Run what `compile` made: the value of a script, the promise of a module.

        Raises:
            JavaScriptError: it threw, or the module could not be linked.
        """
        # JS_EvalFunction takes over the reference it is given.
        owned = self._library.JS_DupValue(self.pointer, compiled)
        return self._own(self._library.JS_EvalFunction(self.pointer, owned))

    def namespace(self, module: JSValue) -> JSValue:
        """The module namespace object (ECMA-262, 10.4.6)."""
        return self._own(self._library.JS_GetModuleNamespace(self.pointer, module.payload))

    def call(self, function: JSValue, *arguments: JSValue) -> JSValue:
        """Call with ``this`` undefined.

        Raises:
            JavaScriptError: it threw.
        """
        array = (JSValue * len(arguments))(*arguments)
        result = self._library.JS_Call(self.pointer, function, UNDEFINED, len(arguments), array)
        return self._own(result)

    def get(self, value: JSValue, name: str) -> JSValue:
        """Read one property."""
        return self._own(self._library.JS_GetPropertyStr(self.pointer, value, name.encode()))

    def string(self, text: str) -> JSValue:
        """A JavaScript string; `text` may hold NUL and any Unicode but no lone surrogates."""
        encoded = text.encode()
        return self._own(self._library.JS_NewStringLen(self.pointer, encoded, len(encoded)))

    def text(self, value: JSValue) -> str:
        """The text of a JavaScript string. Lone surrogates come out as U+FFFD.

        Raises:
            JavaScriptError: out of memory is pending.
        """
        size = c_size_t()
        pointer = self._library.JS_ToCStringLen2(self.pointer, byref(size), value, False)
        if not pointer:
            raise JavaScriptError
        try:
            return string_at(pointer, size.value).decode("utf-8", "replace")
        finally:
            self._library.JS_FreeCString(self.pointer, pointer)

    def take_exception(self) -> JSValue:
        """The pending exception, which is no longer pending then."""
        return self._own(self._library.JS_GetException(self.pointer))

    def throw(self, value: JSValue) -> None:
        """Make `value` the pending exception, for a callback that is about to report failure."""
        self._library.JS_Throw(self.pointer, self._library.JS_DupValue(self.pointer, value))

    def is_promise(self, value: JSValue) -> bool:
        """Whether the value is a native promise, whatever its properties claim."""
        return bool(self._library.JS_IsPromise(value))

    def promise_state(self, promise: JSValue) -> int:
        """One of the ``PROMISE_`` constants, read past anything JavaScript redefined."""
        return int(self._library.JS_PromiseState(self.pointer, promise))

    def promise_result(self, promise: JSValue) -> JSValue:
        """What a settled promise holds."""
        return self._own(self._library.JS_PromiseResult(self.pointer, promise))

    def mark_handled(self, promise: JSValue) -> None:
        """We read this promise ourselves: its rejection is no stray one."""
        self._library.JS_PromiseMarkAsHandled(self.pointer, promise)

    def duplicate_text(self, text: bytes) -> int:
        """A copy that the engine frees, as the module callbacks must return it."""
        return int(self._library.js_strdup(self.pointer, text))

    def _own(self, value: JSValue) -> JSValue:
        if value.tag == capi.TAG_EXCEPTION:
            raise JavaScriptError
        if value.tag < 0:  # the others are no references
            self._scopes[-1].append(value)
        return value

    def _free(self, values: list[JSValue]) -> None:
        for value in reversed(values):
            self._library.JS_FreeValue(self.pointer, value)


def library() -> Any:
    """Load the engine once per process."""
    global _library
    if _library is None:
        _library = capi.load()
    return _library


_library: Any = None
