"""A QuickJS runtime: one heap with its limits, the job queue, and the engine's callbacks."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_void_p
from functools import partial

from flowcage._hints import Any, Protocol
from flowcage.child.engine import capi
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.heap import Heap, add_gc_sentinel
from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import Limits

# The engine polls its interrupt handler at every 10,000th branch or call. This function has 9,999 of them:
# one for the call, one for each iteration, one for the end of the loop. So the next branch or call polls.
EXHAUST_INTERRUPT_COUNTER = b"(() => { let left = 9997; while (left--); })"
_ROOM_TO_STOP = 256 * 1024  # of heap and of stack, for the uncatchable error and for code of the prelude


class Modules(Protocol):
    """Resolves and loads modules for the engine. A method that fails returns 0 with an exception pending."""

    def normalize(self, importer: bytes, specifier: bytes) -> int:
        """The module that an import names: its name as a C string of the engine's, which frees it."""

    def load(self, name: bytes) -> int:
        """The address of the compiled module of this name."""


class Rejections(Protocol):
    """Is told of promises that are rejected without a handler, and of those that get one later."""

    def on_rejection(self, promise: JSValue, *, is_handled: bool) -> None:
        """Called by the engine. The reference to the promise is borrowed: `Context.retain` keeps it."""


class Runtime:
    """One runtime of the engine. Free it with `close`, after its contexts.

    Args:
        library: from `capi.load`.
        limits: heap and stack sizes in bytes.

    Attributes:
        heap: the allocated memory and its limit.
        watchdog: decides when JavaScript must stop; None where nothing does.
        run_job: runs the oldest job of the queue (ECMA-262, 9.5). It returns 1 if that has returned, -1 if it
            threw, 0 if there was none.
        poll_again_at_once: called when JavaScript is interrupted; it makes the next branch or call poll
            again. Some natives drop the interruption, and the code around them would run for 10,000 branches
            more, enough to call the next such native
            (`tests/child/test_swallowed_timeouts.py`).
    """

    def __init__(self, library: Any, limits: Limits) -> None:
        self.library = library
        self.watchdog: Watchdog | None = None
        self.poll_again_at_once: Callable[[], None] = lambda: None
        self._is_polling_again = False
        self.modules: Modules
        self.rejections: Rejections
        self.pointer = library.JS_NewRuntime()
        if not self.pointer:
            raise MemoryError("JS_NewRuntime")
        self.run_job: Callable[[], int] = partial(
            library.JS_ExecutePendingJob, self.pointer, byref(c_void_p())
        )
        self.heap = Heap(library, self.pointer)
        self._sentinel = add_gc_sentinel(library, self.pointer)
        self.adopt(limits)
        _runtimes[self.pointer] = self
        library.JS_SetInterruptHandler(self.pointer, _ON_INTERRUPT, self.pointer)

    def adopt(self, limits: Limits) -> None:
        """Apply limits from here on, and measure the C stack from this frame: a fork(2) may have moved it."""
        self._limits = limits
        self.library.JS_UpdateStackTop(self.pointer)
        self.library.JS_SetMaxStackSize(self.pointer, limits.stack_bytes)
        self.heap.limit_to(limits.memory_bytes)

    def abandon(self) -> None:
        """Prepare to run code of the prelude above C frames of the engine that will not be resumed."""
        self.watchdog = None
        self.heap.abandon()
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes + _ROOM_TO_STOP)

    def new_sentinel(self, context: int) -> JSValue:
        """An object that makes each garbage collection check the heap, for as long as it lives."""
        sentinel: JSValue = self.library.JS_NewObjectClass(context, self._sentinel)
        return sentinel

    def must_stop(self) -> bool:
        """Whether to interrupt JavaScript; the engine polls this at every 10,000th branch or call."""
        self.heap.watch_if_near_limit()
        if self._is_polling_again or self.watchdog is None or not self.watchdog.expired():
            return False
        # Room for the uncatchable error: without it the engine throws null, which JavaScript can catch.
        self.heap.limit_to(self._limits.memory_bytes + _ROOM_TO_STOP)
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes + _ROOM_TO_STOP)
        self._is_polling_again = True  # the exhauster is JavaScript, so it polls, too, and must not recurse
        self.poll_again_at_once()
        self._is_polling_again = False
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes)
        return True

    def set_modules(self, modules: Modules) -> None:
        """Let `modules` resolve and load imports."""
        self.modules = modules
        self.library.JS_SetModuleLoaderFunc(self.pointer, _ON_NORMALIZE, _ON_LOAD, self.pointer)

    def track_rejections(self, rejections: Rejections) -> None:
        """Report unhandled rejections to `rejections` from here on."""
        self.rejections = rejections
        self.library.JS_SetHostPromiseRejectionTracker(self.pointer, _ON_REJECTION, self.pointer)

    def memory_usage(self) -> capi.MemoryUsage:
        """Collect garbage and count what is left. It walks the whole heap; tests of ownership use it."""
        self.library.JS_RunGC(self.pointer)
        usage = capi.MemoryUsage()
        self.library.JS_ComputeMemoryUsage(self.pointer, byref(usage))
        return usage

    def close(self) -> None:
        """Free the runtime. Every value and context must be freed before: the engine aborts otherwise."""
        self.library.JS_FreeRuntime(self.pointer)
        self.heap.close()
        del _runtimes[self.pointer]
        self.pointer = None


_runtimes: dict[int, Runtime] = {}


def _interrupt(_runtime: int, address: int) -> int:
    return int(_runtimes[address].must_stop())


def _normalize(_context: int, importer: bytes, specifier: bytes, address: int) -> int:
    return _runtimes[address].modules.normalize(importer, specifier)


def _load(_context: int, name: bytes, address: int) -> int:
    return _runtimes[address].modules.load(name)


def _track_rejection(
    _context: int, promise: JSValue, _reason: JSValue, is_handled: bool, address: int
) -> None:
    _runtimes[address].rejections.on_rejection(promise, is_handled=is_handled)


# Created on import, and shared by all runtimes, which are found by their address: libffi needs executable
# memory for a callback, and the cage grants none later (`cage.code`).
_ON_INTERRUPT = capi.InterruptHandler(_interrupt)
_ON_NORMALIZE = capi.ModuleNormalize(_normalize)
_ON_LOAD = capi.ModuleLoader(_load)
_ON_REJECTION = capi.RejectionTracker(_track_rejection)
