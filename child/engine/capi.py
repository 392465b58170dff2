"""Every C function of quickjs-ng that flowcage calls, declared once (quickjs.h).

The PyPI package ``quickjs-ng`` ships the engine inside its extension module ``_quickjs``, which exports the
whole C API. Import `_quickjs`, not its wrapper ``quickjs``: that starts a thread, and a process of several
threads can neither fork safely nor be bound whole by seccomp.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_bool,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)

from flowcage._hints import Any
from flowcage.child.engine.errors import EngineUnavailable

TESTED_VERSION = "0.17"


class JSValue(ctypes.Structure):
    """A JavaScript value as 64-bit builds pass it: a payload word and a tag (no NaN boxing)."""

    _fields_ = [("payload", c_uint64), ("tag", c_int64)]

    def is_true(self) -> bool:
        """Whether a boolean, whose payload is its lower half, is true."""
        return bool(self.payload & 0xFFFFFFFF)


TAG_INT = 0
TAG_BOOL = 1
TAG_NULL = 2
TAG_UNDEFINED = 3
TAG_UNINITIALIZED = 4
TAG_EXCEPTION = 6

EVAL_GLOBAL = 0
EVAL_MODULE = 1
EVAL_COMPILE_ONLY = 1 << 5

BYTECODE = 1  # of JS_WriteObject and JS_ReadObject: of a compiled script

PROMISE_PENDING = 0
PROMISE_FULFILLED = 1
PROMISE_REJECTED = 2


class EvalOptions(ctypes.Structure):
    """``JSEvalOptions``, version 1."""

    _fields_ = [
        ("version", c_int),
        ("eval_flags", c_int),
        ("filename", c_char_p),
        ("line_num", c_int),
    ]


class MemoryUsage(ctypes.Structure):
    """``JSMemoryUsage``, of which a few counters are read; its size must be that of the C struct."""

    _fields_ = [
        (name, c_int64)
        for name in [
            "malloc_size",
            "malloc_limit",
            "memory_used_size",
            "malloc_count",
            "memory_used_count",
            "atom_count",
            "atom_size",
            "str_count",
            "str_size",
            "obj_count",
            "obj_size",
            "prop_count",
            "prop_size",
            "shape_count",
            "shape_size",
            "js_func_count",
            "js_func_size",
            "js_func_code_size",
            "js_func_pc2line_count",
            "js_func_pc2line_size",
            "c_func_count",
            "array_count",
            "fast_array_count",
            "fast_array_elements",
            "binary_object_count",
            "binary_object_size",
        ]
    ]


# Callbacks return scalars only, because ctypes cannot return a struct from one. So JavaScript never calls a
# Python function: it queues JSON text, which Python fetches (`sandbox.realm`).
InterruptHandler = CFUNCTYPE(c_int, c_void_p, c_void_p)
ModuleNormalize = CFUNCTYPE(c_void_p, c_void_p, c_char_p, c_char_p, c_void_p)
ModuleLoader = CFUNCTYPE(c_void_p, c_void_p, c_char_p, c_void_p)
RejectionTracker = CFUNCTYPE(None, c_void_p, JSValue, JSValue, c_bool, c_void_p)
GarbageMark = CFUNCTYPE(None, c_void_p, JSValue, c_void_p)


class ClassDefinition(ctypes.Structure):
    """``JSClassDef``, with the garbage collector's callback as the only one that is used."""

    _fields_ = [
        ("name", c_char_p),
        ("finalizer", c_void_p),
        ("gc_mark", GarbageMark),
        ("call", c_void_p),
        ("exotic", c_void_p),
    ]


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "JS_GetVersion": (c_char_p, ()),
    "JS_NewRuntime": (c_void_p, ()),
    "JS_FreeRuntime": (None, (c_void_p,)),
    "JS_SetMemoryLimit": (None, (c_void_p, c_size_t)),
    "JS_SetMaxStackSize": (None, (c_void_p, c_size_t)),
    "JS_UpdateStackTop": (None, (c_void_p,)),
    "JS_RunGC": (None, (c_void_p,)),
    "JS_SetGCThreshold": (None, (c_void_p, c_size_t)),
    "JS_NewClassID": (c_uint32, (c_void_p, POINTER(c_uint32))),
    "JS_NewClass": (c_int, (c_void_p, c_uint32, POINTER(ClassDefinition))),
    "JS_NewObjectClass": (JSValue, (c_void_p, c_uint32)),
    "JS_ComputeMemoryUsage": (None, (c_void_p, POINTER(MemoryUsage))),
    "JS_SetInterruptHandler": (None, (c_void_p, InterruptHandler, c_void_p)),
    "JS_SetModuleLoaderFunc": (None, (c_void_p, ModuleNormalize, ModuleLoader, c_void_p)),
    "JS_SetHostPromiseRejectionTracker": (None, (c_void_p, RejectionTracker, c_void_p)),
    "JS_ExecutePendingJob": (c_int, (c_void_p, POINTER(c_void_p))),
    "JS_NewContextRaw": (c_void_p, (c_void_p,)),
    "JS_FreeContext": (None, (c_void_p,)),
    "JS_AddIntrinsicBaseObjects": (c_int, (c_void_p,)),
    "JS_AddIntrinsicEval": (c_int, (c_void_p,)),
    "JS_AddIntrinsicJSON": (c_int, (c_void_p,)),
    "JS_AddIntrinsicPromise": (c_int, (c_void_p,)),
    "JS_AddIntrinsicProxy": (c_int, (c_void_p,)),
    "JS_AddIntrinsicMapSet": (c_int, (c_void_p,)),
    "JS_AddIntrinsicRegExp": (c_int, (c_void_p,)),
    "JS_Eval2": (JSValue, (c_void_p, c_char_p, c_size_t, POINTER(EvalOptions))),
    "JS_EvalFunction": (JSValue, (c_void_p, JSValue)),
    "JS_GetModuleNamespace": (JSValue, (c_void_p, c_void_p)),
    "JS_ParseJSON": (JSValue, (c_void_p, c_char_p, c_size_t, c_char_p)),
    "JS_Call": (JSValue, (c_void_p, JSValue, JSValue, c_int, POINTER(JSValue))),
    "JS_GetPropertyStr": (JSValue, (c_void_p, JSValue, c_char_p)),
    "JS_GetException": (JSValue, (c_void_p,)),
    "JS_Throw": (JSValue, (c_void_p, JSValue)),
    "JS_IsPromise": (c_bool, (JSValue,)),
    "JS_PromiseState": (c_int, (c_void_p, JSValue)),
    "JS_PromiseResult": (JSValue, (c_void_p, JSValue)),
    "JS_PromiseMarkAsHandled": (None, (c_void_p, JSValue)),
    "JS_DupValue": (JSValue, (c_void_p, JSValue)),
    "JS_FreeValue": (None, (c_void_p, JSValue)),
    "JS_NewStringLen": (JSValue, (c_void_p, c_char_p, c_size_t)),
    "JS_ToCStringLen2": (c_void_p, (c_void_p, POINTER(c_size_t), JSValue, c_bool)),
    "JS_FreeCString": (None, (c_void_p, c_void_p)),
    "JS_WriteObject": (c_void_p, (c_void_p, POINTER(c_size_t), JSValue, c_int)),
    "JS_ReadObject": (JSValue, (c_void_p, c_char_p, c_size_t, c_int)),
    "js_free": (None, (c_void_p, c_void_p)),
    "js_strdup": (c_void_p, (c_void_p, c_char_p)),
    "js_malloc_rt": (c_void_p, (c_void_p, c_size_t)),
}


def load() -> Any:
    """Bind the engine's functions.

    Returns:
        A library object whose attributes are the functions of `_SIGNATURES`.

    Raises:
        EngineUnavailable: quickjs-ng is not installed, has another version than tested, does not export a
            function, or packs values into 64 bits.
    """
    library = _open()
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise EngineUnavailable(
                f"the installed quickjs-ng does not export {name}; install quickjs-ng {TESTED_VERSION}.x"
            ) from None
        function.restype, function.argtypes = result, arguments
    _refuse_other_versions(library)
    return library


def _open() -> Any:
    if ctypes.sizeof(c_void_p) != 8:
        raise EngineUnavailable(
            "flowcage needs a 64-bit Python: a 32-bit QuickJS has another layout of values"
        )
    try:
        import _quickjs
    except ImportError as error:
        raise EngineUnavailable(f"quickjs-ng is not installed ({error}); pip install quickjs-ng") from error
    # PyDLL keeps the GIL. The child has one thread, so to release and take it again at each of the frequent
    # callbacks would only cost time.
    return ctypes.PyDLL(_quickjs.__file__)


def _refuse_other_versions(library: Any) -> None:
    version = library.JS_GetVersion().decode()
    if version.split(".")[:2] != TESTED_VERSION.split("."):
        raise EngineUnavailable(
            f"quickjs-ng {version} is installed, but flowcage was tested with {TESTED_VERSION}.x; "
            f"pip install 'quickjs-ng=={TESTED_VERSION}.*'"
        )
