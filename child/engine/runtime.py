"""A QuickJS runtime: the heap, its limits, the job queue, and what the engine asks of us."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_void_p
from typing import Any, Protocol

from flowcage.child.engine import capi
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.heap import Heap, add_gc_sentinel
from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import Limits

_ROOM_TO_STOP = 256 * 1024


class Modules(Protocol):
    """Answers ``import``. Both return 0 with an exception pending."""

    def normalize(self, specifier: bytes) -> int:
        """The name of the module, as a copy that the engine frees."""

    def load(self, name: bytes) -> int:
        """The compiled module."""


class Rejections(Protocol):
    """Hears of promises that are rejected without a handler, and of the handler that came later."""

    def on_rejection(self, promise: JSValue, *, is_handled: bool) -> None:
        """The promise is borrowed."""


class Runtime:
    """One engine heap. Free it with `close`, after its contexts.

    Args:
        library: from `capi.load`.
        limits: heap and stack sizes in bytes.

    Attributes:
        heap: what was allocated, and the limit.
        watchdog: says when JavaScript must stop.
        poll_again_at_once: called then, so that the engine asks again at its next chance: some natives lose
            the interruption, and the JavaScript around them would go on for ten thousand branches, which is
            enough to call the next such native.
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
        self.heap = Heap(library, self.pointer)
        self._sentinel = add_gc_sentinel(library, self.pointer)
        self.adopt(limits)
        _runtimes[self.pointer] = self
        library.JS_SetInterruptHandler(self.pointer, _ON_INTERRUPT, self.pointer)

    def adopt(self, limits: Limits) -> None:
        """Hold the heap to these limits from here on; after a fork(2), from this place on the C stack."""
        self._limits = limits
        self.library.JS_UpdateStackTop(self.pointer)
        self.library.JS_SetMaxStackSize(self.pointer, limits.stack_bytes)
        self.heap.limit_to(limits.memory_bytes)

    def abandon(self) -> None:
        """Let what the engine is doing stand where it is, for good, and code of our own run above it."""
        self.watchdog = None
        self.heap.abandon()
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes + _ROOM_TO_STOP)

    def new_sentinel(self, context: int) -> JSValue:
        """An object that has the garbage collector look at the heap, for as long as it is there."""
        sentinel: JSValue = self.library.JS_NewObjectClass(context, self._sentinel)
        return sentinel

    def must_stop(self) -> bool:
        """Whether to interrupt JavaScript; the engine asks at every 10,000th branch or call."""
        self.heap.watch_if_near_limit()
        if self._is_polling_again or self.watchdog is None or not self.watchdog.expired():
            return False
        # Room for the error that cannot be caught: without it the engine throws a null, which can.
        self.heap.limit_to(self._limits.memory_bytes + _ROOM_TO_STOP)
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes + _ROOM_TO_STOP)
        self._is_polling_again = True  # it is JavaScript, and asks us too
        self.poll_again_at_once()
        self._is_polling_again = False
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes)
        return True

    def set_modules(self, modules: Modules) -> None:
        """Have `modules` answer imports."""
        self.modules = modules
        self.library.JS_SetModuleLoaderFunc(self.pointer, _ON_NORMALIZE, _ON_LOAD, self.pointer)

    def track_rejections(self, rejections: Rejections) -> None:
        """Have `rejections` hear, from now on."""
        self.rejections = rejections
        self.library.JS_SetHostPromiseRejectionTracker(self.pointer, _ON_REJECTION, self.pointer)

    def run_job(self) -> bool | None:
        """Run the oldest job: True if it returned, False if it threw, None if there was none."""
        context = c_void_p()
        outcome = self.library.JS_ExecutePendingJob(self.pointer, byref(context))
        return None if outcome == 0 else outcome > 0

    def memory_usage(self) -> capi.MemoryUsage:
        """Collect garbage and count what is left (walks the whole heap; for tests of ownership)."""
        self.library.JS_RunGC(self.pointer)
        usage = capi.MemoryUsage()
        self.library.JS_ComputeMemoryUsage(self.pointer, byref(usage))
        return usage

    def close(self) -> None:
        """Free the heap. Every handle and context must be gone: the engine aborts otherwise."""
        self.library.JS_FreeRuntime(self.pointer)
        self.heap.close()
        del _runtimes[self.pointer]
        self.pointer = None


_runtimes: dict[int, Runtime] = {}


def _interrupt(_runtime: int, address: int) -> int:
    return int(_runtimes[address].must_stop())


def _normalize(_context: int, _base: bytes, specifier: bytes, address: int) -> int:
    return _runtimes[address].modules.normalize(specifier)


def _load(_context: int, name: bytes, address: int) -> int:
    return _runtimes[address].modules.load(name)


def _track_rejection(
    _context: int, promise: JSValue, _reason: JSValue, is_handled: bool, address: int
) -> None:
    _runtimes[address].rejections.on_rejection(promise, is_handled=is_handled)


# Made on import and shared by all runtimes, each known by its address: libffi wants executable memory for a
# callback, and in the cage there is none to be had.
_ON_INTERRUPT = capi.InterruptHandler(_interrupt)
_ON_NORMALIZE = capi.ModuleNormalize(_normalize)
_ON_LOAD = capi.ModuleLoader(_load)
_ON_REJECTION = capi.RejectionTracker(_track_rejection)
