"""A QuickJS context: one realm with chosen intrinsics, and the values that Python holds in it."""

from __future__ import annotations

from ctypes import Array, byref, c_size_t, string_at
from functools import cache

from flowcage._hints import Any
from flowcage.child.engine import capi
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.errors import JavaScriptError, OutOfMemory
from flowcage.child.engine.runtime import Runtime

_INTRINSICS = (
    "JS_AddIntrinsicBaseObjects",
    "JS_AddIntrinsicEval",  # JS_Eval2 needs it; the prelude deletes the global
    "JS_AddIntrinsicJSON",
    "JS_AddIntrinsicPromise",
    "JS_AddIntrinsicProxy",
    "JS_AddIntrinsicMapSet",
    "JS_AddIntrinsicRegExp",
)

UNDEFINED = JSValue(0, capi.TAG_UNDEFINED)


def integer(value: int) -> JSValue:
    """A JavaScript number, of an integer from 0 to 2^31 - 1."""
    return JSValue(value, capi.TAG_INT)


FALSE, TRUE = JSValue(0, capi.TAG_BOOL), JSValue(1, capi.TAG_BOOL)


@cache  # ctypes keeps such a type only while it is used, and makes it anew for each call
def _array_type(length: int) -> type[Array[JSValue]]:
    return JSValue * length


class Context:
    """One realm (ECMA-262, 9.3), and an owner for the values that are created in it.

    A value that is created inside ``with context.scope():`` is freed at the block's end; outside of all
    scopes it is freed by `close`.

    Raises:
        OutOfMemory: the heap's limit is too small for a realm.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._library = runtime.library
        self.pointer = self._library.JS_NewContextRaw(runtime.pointer)
        if not self.pointer:
            raise OutOfMemory("JS_NewContextRaw")
        self._scopes: list[list[JSValue]] = [[]]
        self._scope = _Scope(self)
        self._size = c_size_t()
        self._size_place = byref(self._size)
        for add in _INTRINSICS:
            if getattr(self._library, add)(self.pointer) < 0:
                raise OutOfMemory(add)
        self._own(runtime.new_sentinel(self.pointer))

    def close(self) -> None:
        """Free the realm and every value of it. The context is of no use afterwards."""
        while self._scopes:
            self._free(self._scopes.pop())
        self._library.JS_FreeContext(self.pointer)
        self.pointer = None

    def scope(self) -> _Scope:
        """Own the values that are created inside the block, and free them at its end, also after an error."""
        return self._scope

    def open_scope(self) -> None:
        """Begin what `scope` is the block of; such blocks may be nested."""
        self._scopes.append([])

    def close_scope(self) -> None:
        """End the innermost one."""
        if values := self._scopes.pop():
            self._free(values)

    def exhaust_interrupt_counter(self, exhauster: JSValue) -> None:
        """Bring the engine's counter to where the next branch or call polls the interrupt handler.

        Args:
            exhauster: what `EXHAUST_INTERRUPT_COUNTER` evaluates to. An error of it is dropped.
        """
        self.release(self._library.JS_Call(self.pointer, exhauster, UNDEFINED, 0, None))
        self.release(self._library.JS_GetException(self.pointer))

    def keep(self, value: JSValue) -> JSValue:
        """Another reference to a value, which `close` frees."""
        kept: JSValue = self._library.JS_DupValue(self.pointer, value)
        self._scopes[0].append(kept)
        return kept

    def retain(self, value: JSValue) -> JSValue:
        """Another reference to a value, which the caller frees with `release`."""
        retained: JSValue = self._library.JS_DupValue(self.pointer, value)
        return retained

    def release(self, value: JSValue) -> None:
        """Free a reference that `retain` returned."""
        self._library.JS_FreeValue(self.pointer, value)

    def compile(self, source: bytes, name: str, *, module: bool, first_line: int = 1) -> JSValue:
        """Compile without running: syntax is checked and a module's imports are resolved.

        Args:
            source: UTF-8 text.
            name: of the source in stacks.
            first_line: number of the text's first line. Text with lines put before it begins below 1, so that
                the author's lines keep their numbers.

        Raises:
            JavaScriptError: a SyntaxError, or an error of the module loader, is pending.
        """
        kind = capi.EVAL_MODULE if module else capi.EVAL_GLOBAL
        flags = kind | capi.EVAL_COMPILE_ONLY
        encoded_name = name.encode("utf-8", "replace").replace(b"\0", b"?")
        options = capi.EvalOptions(1, flags, encoded_name, first_line)
        return self._own(self._library.JS_Eval2(self.pointer, source, len(source), byref(options)))

    def bytecode(self, compiled: JSValue) -> bytes:
        """What `compile` returned, for `read_bytecode` of another context in this process. Raises as that."""
        place = self._library.JS_WriteObject(self.pointer, self._size_place, compiled, capi.BYTECODE)
        if not place:
            raise JavaScriptError
        try:
            return string_at(place, self._size.value)
        finally:
            self._library.js_free(self.pointer, place)

    def read_bytecode(self, bytecode: bytes) -> JSValue:
        """The value of `bytecode`, which is trusted. Raises as `compile`."""
        return self._own(self._library.JS_ReadObject(self.pointer, bytecode, len(bytecode), capi.BYTECODE))

    def evaluate(self, compiled: JSValue) -> JSValue:
        """Run what `compile` returned.

        Returns:
            The value of a script; the promise of a module.

        Raises:
            JavaScriptError: it threw, or the module could not be linked.
        """
        # JS_EvalFunction frees its argument, and the scope will free `compiled`.
        owned = self._library.JS_DupValue(self.pointer, compiled)
        return self._own(self._library.JS_EvalFunction(self.pointer, owned))

    def namespace(self, module: JSValue) -> JSValue:
        """The module namespace object (ECMA-262, 10.4.6)."""
        return self._own(self._library.JS_GetModuleNamespace(self.pointer, module.payload))

    def call(self, function: JSValue, *arguments: JSValue) -> JSValue:
        """Call a function, with ``this`` undefined.

        Raises:
            JavaScriptError: it threw.
        """
        return self._own(self._called(function, arguments))

    def call_on_json(self, function: JSValue, text: bytes, *arguments: JSValue) -> JSValue | None:
        """Call a function with the value of a JSON text, and more arguments; None where the text is none.

        Raises:
            JavaScriptError: it threw.
        """
        value: JSValue = self._library.JS_ParseJSON(self.pointer, text, len(text), b"<json>")
        if value.tag == capi.TAG_EXCEPTION:
            self.release(self._library.JS_GetException(self.pointer))
            return None
        try:
            return self._own(self._called(function, (value, *arguments)))
        finally:
            self._library.JS_FreeValue(self.pointer, value)

    def call_bytes(self, function: JSValue, *arguments: JSValue) -> bytes:
        """Call a function that returns a string: its UTF-8, with three bytes for each lone surrogate.

        Raises:
            JavaScriptError: it threw, or there was no memory.
        """
        value = self._called(function, arguments)
        if value.tag == capi.TAG_EXCEPTION:
            raise JavaScriptError
        try:
            return self.utf8(value)
        finally:
            self._library.JS_FreeValue(self.pointer, value)

    def _called(self, function: JSValue, arguments: tuple[JSValue, ...]) -> JSValue:
        array = _array_type(len(arguments))(*arguments)
        result: JSValue = self._library.JS_Call(self.pointer, function, UNDEFINED, len(arguments), array)
        return result

    def get(self, value: JSValue, name: str) -> JSValue:
        """Read a property; its getter, if it has one, runs.

        Raises:
            JavaScriptError: the getter threw.
        """
        return self._own(self._library.JS_GetPropertyStr(self.pointer, value, name.encode()))

    def string(self, text: str) -> JSValue:
        """A JavaScript string. `text` may hold NUL and lone surrogates."""
        encoded = text.encode("utf-8", "surrogatepass")
        return self._own(self._library.JS_NewStringLen(self.pointer, encoded, len(encoded)))

    def text(self, value: JSValue) -> str:
        """The text of a JavaScript string, with U+FFFD for each lone surrogate.

        Raises:
            JavaScriptError: an out-of-memory error is pending.
        """
        return self.utf8(value).decode("utf-8", "replace")

    def utf8(self, value: JSValue) -> bytes:
        """As `text`, in UTF-8, with three bytes for each lone surrogate."""
        library, pointer = self._library, self.pointer
        place = library.JS_ToCStringLen2(pointer, self._size_place, value, False)
        if not place:
            raise JavaScriptError
        try:
            return string_at(place, self._size.value)
        finally:
            library.JS_FreeCString(pointer, place)

    def take_exception(self) -> JSValue:
        """Take the pending exception from the context, so that none is pending."""
        return self._own(self._library.JS_GetException(self.pointer))

    def throw(self, value: JSValue) -> None:
        """Make `value` the pending exception, as a callback must before it returns that it failed."""
        self._library.JS_Throw(self.pointer, self._library.JS_DupValue(self.pointer, value))

    def is_promise(self, value: JSValue) -> bool:
        """Whether the value is a native promise; no property is read that JavaScript could redefine."""
        return bool(self._library.JS_IsPromise(value))

    def promise_state(self, promise: JSValue) -> int:
        """One of the ``PROMISE_`` constants, read from the promise itself, not through its properties."""
        return int(self._library.JS_PromiseState(self.pointer, promise))

    def promise_result(self, promise: JSValue) -> JSValue:
        """The value or the reason of a settled promise."""
        return self._own(self._library.JS_PromiseResult(self.pointer, promise))

    def mark_handled(self, promise: JSValue) -> None:
        """Mark a promise as handled: its rejection is not reported as an unhandled one."""
        self._library.JS_PromiseMarkAsHandled(self.pointer, promise)

    def duplicate_text(self, text: bytes) -> int:
        """Address of a C string of the engine's, which it frees: what a module callback returns a name as."""
        return int(self._library.js_strdup(self.pointer, text))

    def _own(self, value: JSValue) -> JSValue:
        if value.tag == capi.TAG_EXCEPTION:
            raise JavaScriptError
        if value.tag < 0:  # reference-counted: object, string, symbol, module, BigInt (quickjs.h)
            self._scopes[-1].append(value)
        return value

    def _free(self, values: list[JSValue]) -> None:
        for value in reversed(values):
            self._library.JS_FreeValue(self.pointer, value)


class _Scope:
    """The block of `Context.scope`. There is one object, because most calls into the engine need a block."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._context.open_scope()

    def __exit__(self, *_: object) -> None:
        self._context.close_scope()


def library() -> Any:
    """The engine's functions, loaded at the first call.

    Raises:
        EngineUnavailable: see `capi.load`.
    """
    global _library
    if _library is None:
        _library = capi.load()
    return _library


_library: Any = None
