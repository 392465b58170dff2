"""A QuickJS runtime: the heap, its limits, the job queue and the module loader."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_void_p
from typing import Any

from flowcage.child.engine import capi
from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import Limits

_ROOM_TO_STOP = 256 * 1024


class Runtime:
    """One engine heap. Free it with `close`, after its contexts.

    Args:
        library: from `capi.load`.
        limits: heap and stack sizes in bytes.

    Attributes:
        watchdog: says when JavaScript must stop.
        insist: called then, to make the engine ask again at its very next chance: some of its natives lose
            the interruption, and the JavaScript around them would go on for ten thousand branches, which is
            enough to call the next such native.
    """

    def __init__(self, library: Any, limits: Limits) -> None:
        self.library = library
        self._limits = limits
        self.watchdog: Watchdog | None = None
        self.insist: Callable[[], None] = lambda: None
        self._is_insisting = False
        self.pointer = library.JS_NewRuntime()
        if not self.pointer:
            raise MemoryError("JS_NewRuntime")
        library.JS_SetMemoryLimit(self.pointer, limits.memory_bytes)
        library.JS_SetMaxStackSize(self.pointer, limits.stack_bytes)
        # ctypes frees a callback object with its last reference: they live as long as the runtime.
        self._on_interrupt = capi.InterruptHandler(self._interrupt)
        library.JS_SetInterruptHandler(self.pointer, self._on_interrupt, None)
        self._callbacks: list[Any] = []

    def _interrupt(self, _runtime: int, _opaque: int) -> int:
        if self._is_insisting or self.watchdog is None or not self.watchdog.expired():
            return 0
        # Room for the error that cannot be caught: without it the engine throws a null, which can.
        self.library.JS_SetMemoryLimit(self.pointer, self._limits.memory_bytes + _ROOM_TO_STOP)
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes + _ROOM_TO_STOP)
        self._is_insisting = True  # it is JavaScript, and asks us too
        self.insist()
        self._is_insisting = False
        self.library.JS_SetMaxStackSize(self.pointer, self._limits.stack_bytes)
        return 1

    def set_module_loader(
        self,
        normalize: Callable[[int, bytes, bytes, int], int],
        load: Callable[[int, bytes, int], int],
    ) -> None:
        """Install the two module callbacks of ``JS_SetModuleLoaderFunc``."""
        callbacks = capi.ModuleNormalize(normalize), capi.ModuleLoader(load)
        self._callbacks.extend(callbacks)
        self.library.JS_SetModuleLoaderFunc(self.pointer, *callbacks, None)

    def track_rejections(self, tracker: Callable[[int, Any, Any, bool, int], None]) -> None:
        """Install the callback that hears of rejections without, and later with, a handler."""
        callback = capi.RejectionTracker(tracker)
        self._callbacks.append(callback)
        self.library.JS_SetHostPromiseRejectionTracker(self.pointer, callback, None)

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
        self.pointer = None
