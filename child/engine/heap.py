"""The engine's heap and its limit: a run whose heap is full ends before the engine hears of it.

quickjs-ng does not survive every allocation that fails: it collects garbage while it makes the error, when
objects are half changed, it corrupts the allocator's lists in the compiler, and it loses the error and throws
null. So the engine never sees one fail. Once a heap comes near its limit, its three allocating functions are
replaced by ours, and the request that would pass the limit calls `Heap.on_full`, which does not return: what
the engine was doing stays where it stands, and the child carries on above it (`flowcage.child.session`).

Our functions cost most of a microsecond a call, so the engine's own serve a heap that is far from full.
`watch_if_near_limit` finds out whether it is: when the engine polls its interrupt handler, and when it
collects garbage, which it does at the next object once the heap has grown by half. Only a native that makes
no objects can fill half of a large heap between two looks. The engine refuses that request itself, with an
error that JavaScript can catch.

The functions are at the head of the engine's runtime (``JSMallocFunctions`` and ``JSMallocState`` in
quickjs.c). `Heap` refuses to begin where it does not find there what the engine says of itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import PYFUNCTYPE, byref, c_size_t, c_uint32, c_void_p
from typing import Any

from flowcage.child.engine import capi
from flowcage.child.engine.errors import EngineUnavailable
from flowcage.protocol.limits import MIB

# More than a run allocates between two looks, unless it does so in one native.
_LEAST_MARGIN = 64 * MIB
_UNLIMITED = 2**63
_PROBE = 123_456_789

_Allocate = PYFUNCTYPE(c_void_p, c_void_p, c_size_t)
_AllocateZeros = PYFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
_Resize = PYFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t)
_UsableSize = PYFUNCTYPE(c_size_t, c_void_p)


class _Head(ctypes.Structure):
    """The first fields of ``struct JSRuntime``."""

    _fields_ = [
        ("calloc", c_void_p),
        ("malloc", c_void_p),
        ("free", c_void_p),
        ("realloc", c_void_p),
        ("usable_size", c_void_p),
        ("count", c_size_t),
        ("size", c_size_t),
        ("limit", c_size_t),
        ("opaque", c_void_p),
    ]


class Heap:
    """What one runtime has allocated.

    Attributes:
        on_full: called, deep inside the engine, where a request would pass the limit; it must not return.
            None has the engine go on with a request that failed.
        has_refused: whether a request failed.
    """

    def __init__(self, library: Any, runtime: int) -> None:
        self.on_full: Callable[[], None] | None = None
        self.has_refused = False
        self.is_watched = False
        self._library = library
        self._runtime = runtime
        self._head = _Head.from_address(runtime)
        self._refuse_other_layouts()
        self._head.opaque = runtime  # the engine's own functions do not read it
        self._own = self._head.calloc, self._head.malloc, self._head.realloc
        self._calloc = _AllocateZeros(self._head.calloc)
        self._malloc = _Allocate(self._head.malloc)
        self._realloc = _Resize(self._head.realloc)
        self._usable_size = _UsableSize(self._head.usable_size)
        self.limit = self._watch_above = _UNLIMITED
        _heaps[runtime] = self

    def close(self) -> None:
        """Forget the runtime, which is freed already."""
        del _heaps[self._runtime]

    @property
    def size(self) -> int:
        """Bytes allocated, by the engine's count."""
        return int(self._head.size)

    def limit_to(self, limit: int) -> None:
        """Hold the heap to so many bytes from here on."""
        self.limit = limit
        self._watch_above = limit - max(limit // 2, _LEAST_MARGIN)
        self._tell_engine()
        self.watch_if_near_limit()

    @contextmanager
    def unlimited(self) -> Iterator[None]:
        """For code of our own, which asks for little: what it is about must not be lost."""
        limit, self.limit = self.limit, _UNLIMITED
        self._tell_engine()
        try:
            yield
        finally:
            self.limit = limit
            self._tell_engine()

    def abandon(self) -> None:
        """Grant every request and collect no garbage: the engine is in the middle of something for good."""
        self._library.JS_SetGCThreshold(self._runtime, -1)
        self.on_full = None
        self.limit = _UNLIMITED
        self._tell_engine()

    def watch_if_near_limit(self) -> None:
        """Watch the heap from here on if it is no longer far from its limit."""
        if not self.is_watched and self._head.size > self._watch_above:
            self._watch(True)

    @contextmanager
    def expecting(self, size: int) -> Iterator[None]:
        """Watch what happens inside if so many bytes more would bring the heap near its limit."""
        was_watched = self.is_watched
        if self._head.size + size > self._watch_above:
            self._watch(True)
        try:
            yield
        finally:
            self._watch(was_watched)
            self.watch_if_near_limit()

    def _watch(self, watched: bool) -> None:
        self.is_watched = watched
        self._head.calloc, self._head.malloc, self._head.realloc = _WATCHED if watched else self._own
        self._tell_engine()

    def _tell_engine(self) -> None:
        self._library.JS_SetMemoryLimit(self._runtime, 0 if self.is_watched else self.limit)

    def calloc(self, count: int, size: int) -> int:
        """Zeroed memory, for the engine."""
        if self._head.size + count * size > self.limit:
            return self._full()
        return self._calloc(None, count, size) or self._full()

    def malloc(self, size: int) -> int:
        """Memory, for the engine."""
        if self._head.size + size > self.limit:
            return self._full()
        return self._malloc(None, size) or self._full()

    def realloc(self, block: int, size: int) -> int:
        """A block of another size, for the engine."""
        used = self._head.size
        if used + size > self.limit and used + size - self._usable_size(block) > self.limit:
            return self._full()
        return self._realloc(None, block, size) or self._full()

    def _full(self) -> int:
        self.has_refused = True
        if self.on_full is not None:
            self.on_full()
        return 0

    def _refuse_other_layouts(self) -> None:
        usage = capi.MemoryUsage()
        self._library.JS_SetMemoryLimit(self._runtime, _PROBE)
        self._library.JS_ComputeMemoryUsage(self._runtime, byref(usage))
        told = usage.malloc_count, usage.malloc_size, usage.malloc_limit
        head = self._head
        if told != (head.count, head.size, head.limit) or head.limit != _PROBE:
            raise EngineUnavailable(
                "the installed quickjs-ng keeps its allocator elsewhere than the releases that flowcage was "
                f"tested with ({capi.TESTED_VERSION}.x)"
            )


_heaps: dict[int, Heap] = {}


def _calloc(runtime: int, count: int, size: int) -> int:
    return _heaps[runtime].calloc(count, size)


def _malloc(runtime: int, size: int) -> int:
    return _heaps[runtime].malloc(size)


def _realloc(runtime: int, block: int, size: int) -> int:
    return _heaps[runtime].realloc(block, size)


def _mark(runtime: int, _object: object, _mark_function: int) -> None:
    _heaps[runtime].watch_if_near_limit()


# Made on import, as all callbacks: in the cage there is no executable memory to be had for them.
_CALLBACKS = _AllocateZeros(_calloc), _Allocate(_malloc), _Resize(_realloc)
_WATCHED = tuple(ctypes.cast(callback, c_void_p).value for callback in _CALLBACKS)
_ON_MARK = capi.GarbageMark(_mark)
_SENTINEL = capi.ClassDefinition(b"Sentinel", None, _ON_MARK, None, None)


def add_gc_sentinel(library: Any, runtime: int) -> int:
    """A class of objects that the garbage collector cannot pass without our looking at the heap.

    Returns:
        Its id; one object of it in a context will do.
    """
    identifier = c_uint32()
    library.JS_NewClassID(runtime, byref(identifier))
    library.JS_NewClass(runtime, identifier, byref(_SENTINEL))
    return int(identifier.value)
